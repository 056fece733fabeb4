"""Brings a fully connected layer into one form: Gemm with its bias."""

from tinycnn.ir import Graph, Node
from tinycnn.ops.add import Add
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.matmul import MatMul
from tinycnn.passes.ranks import ranks
from tinycnn.passes.rewriter import Rewriter


def merge_matmul_add(graph: Graph) -> Graph:
    """The product of a matrix with constant weights is a Gemm, and a constant added to its columns is its bias.

    Before
        constant w: float32[20x10]
        constant b: float32[10]
        a = MatMul(x, w)
        y = Add(a, b)
    After
        y = Gemm(x, w, b)

    If x is known to have rank 2, and nothing else reads `a`. Numerics: exact.
    """
    edit, rank = Rewriter(graph), ranks(graph)
    rank.update((name, len(spec.dims)) for name, spec in graph.specs.items() if spec.is_static)
    for node in edit:
        if not merge_product(edit, node, rank) and not merge_bias(edit, node):
            edit.keep(node)
    return edit.finish()


def merge_product(edit: Rewriter, node: Node, rank: dict[str, int]) -> bool:
    if not isinstance(node.op, MatMul) or rank.get(node.inputs[0]) != 2:
        return False
    w = edit.constant(node.inputs[1])
    if w is None or w.ndim != 2 or w.dtype.kind != "f":
        return False
    edit.replace(node, Gemm(activation=node.op.activation), node.inputs)
    return True


def merge_bias(edit: Rewriter, node: Node) -> bool:
    if not isinstance(node.op, Add):
        return False
    for x, b in (node.inputs, node.inputs[::-1]):
        gemm, bias = edit.sole(x), edit.constant(b)
        if gemm is None or bias is None or gemm.op != Gemm() or not takes_bias(edit, gemm, bias.shape):
            continue
        edit.replace(node, Gemm(activation=node.op.activation), (*gemm.inputs[:2], b), gemm, name=gemm.name)
        edit.log(node, "fused", f"into Gemm {gemm.name!r}")
        return True
    return False


def takes_bias(edit: Rewriter, gemm: Node, bias: tuple[int, ...]) -> bool:
    w = edit.constant(gemm.inputs[1])
    return not any(gemm.inputs[2:]) and w is not None and bias in (w.shape[1:], (1, w.shape[1]))
