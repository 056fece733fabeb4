"""Removes transpositions that undo each other, as models written for [n, h, w, c] are full of them."""

from dataclasses import dataclass

from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.ops.activation import _Elementwise
from tinycnn.ops.broadcast import _Arithmetic
from tinycnn.ops.fake_quantize import FakeQuantize
from tinycnn.ops.shapes import Shape
from tinycnn.ops.transpose import Transpose
from tinycnn.passes.rewriter import Rewriter

DEPTH = 64  # of the expressions between transpositions


def cancel_transposes(graph: Graph) -> Graph:
    """Of two transpositions one is left, or none, also where elementwise operators stand between them.

    Before
        a = Transpose[perm=(0, 2, 3, 1)](x)
        b = Relu(a)
        y = Transpose[perm=(0, 3, 1, 2)](b)
    After
        y = Relu(x)

    Between them: functions of one number, and arithmetic on operands of the output's shape, each transposed in the same
    way, or scalars; if nothing else reads what lies between. Needs shapes: runs after `bind`. Numerics: exact.
    """
    edit = Rewriter(graph)
    for node in edit:
        x = edit.specs.get(node.inputs[0]) if isinstance(node.op, Transpose) else None
        if not isinstance(node.op, Transpose) or x is None:
            edit.keep(node)
            continue
        perm = node.op.order(x.rank)
        before = edit.producer(node.inputs[0])
        if before is not None and isinstance(before.op, Transpose):
            inner = before.op.order(x.rank)
            both = tuple(inner[axis] for axis in perm)
            if both == tuple(range(x.rank)):
                edit.log(node, "removed", f"undoes Transpose {before.name!r}")
                edit.bypass(node, before.inputs[0])
            else:
                edit.replace(node, Transpose(both), before.inputs)
        elif (tree := untransposed(edit, node.inputs[0], perm)) is not None:
            edit.log(node, "removed", "undoes the transpositions before it")
            edit.bypass(node, write(edit, tree, perm))
        else:
            edit.keep(node)
    return edit.finish()


@dataclass(frozen=True)
class Tree:
    """A value that is elementwise in values before their transposition: its node and operands, or that value alone."""

    value: str
    node: Node | None = None
    operands: tuple["Tree", ...] = ()


def untransposed(edit: Rewriter, value: str, perm: Shape, depth: int = DEPTH) -> Tree | None:
    """How transpose(value, perm) is computed without any transposition; None where it is not."""
    node, spec = edit.producer(value), edit.specs.get(edit.name(value))
    if node is None or spec is None or not depth:
        return None
    if isinstance(node.op, Transpose):
        inner = node.op.order(spec.rank)
        return Tree(node.inputs[0]) if tuple(inner[a] for a in perm) == tuple(range(spec.rank)) else None
    if edit.sole(value) is None or not is_elementwise(node):
        return None
    operands = [operand_tree(edit, name, spec, perm, depth - 1) for name in node.inputs]
    found = tuple(tree for tree in operands if tree is not None)
    return Tree(value, node, found) if len(found) == len(operands) else None


def operand_tree(edit: Rewriter, name: str, whole: TensorSpec, perm: Shape, depth: int) -> Tree | None:
    constant, spec = edit.constant(name), edit.specs.get(edit.name(name))
    if not name or (constant is not None and constant.size == 1):
        return Tree(name)
    return untransposed(edit, name, perm, depth) if spec is not None and spec.shape == whole.shape else None


def is_elementwise(node: Node) -> bool:
    return isinstance(node.op, _Elementwise | _Arithmetic | FakeQuantize)


def write(edit: Rewriter, tree: Tree, perm: Shape) -> str:
    """Writes the nodes of a tree anew, without transpositions; the value that they compute."""
    if tree.node is None:
        return tree.value
    inputs = tuple(write(edit, operand, perm) for operand in tree.operands)
    spec = edit.specs[edit.name(tree.value)]
    value = edit.value(f"{tree.value}.transposed", spec.with_shape([spec.dims[axis] for axis in perm]))
    edit.write(Node(tree.node.op, inputs, (value,), tree.node.name))
    return value
