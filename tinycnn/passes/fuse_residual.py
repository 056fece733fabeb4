"""Adds the shortcut of a residual block where the convolution before it is stored."""

from dataclasses import replace

from tinycnn.ir import Graph, Node
from tinycnn.ops.add import Add
from tinycnn.ops.conv import Conv
from tinycnn.ops.sum import Sum
from tinycnn.passes.rewriter import Rewriter


def fuse_residual(graph: Graph) -> Graph:
    """An Add of equal shapes becomes the residual of the convolution that computes one operand.

    Before
        a = Conv(x, w, b)
        y = Add[activation=clamp(0, inf)](a, r)
    After
        y = Conv[activation=clamp(0, inf)](x, w, b, r)

    If nothing else reads `a`, the Conv has neither activation nor residual, and no axis is broadcast. Of two such
    convolutions the later one takes the other's output. Needs shapes: runs after `bind`. Numerics: exact.
    """
    edit = Rewriter(graph)
    for node in edit:
        found = candidates(edit, node) if isinstance(node.op, Add | Sum) and len(node.inputs) == 2 else []
        if not found:
            edit.keep(node)
            continue
        conv, residual = max(found, key=lambda pair: edit.position(pair[0].outputs[0]))
        assert isinstance(conv.op, Conv) and isinstance(node.op, Add | Sum)
        x, w, b = (*conv.inputs, "")[:3]
        edit.replace(node, replace(conv.op, activation=node.op.activation), (x, w, b, residual), conv, name=conv.name)
        edit.log(node, "fused", f"into Conv {conv.name!r}")
    return edit.finish()


def candidates(edit: Rewriter, node: Node) -> list[tuple[Node, str]]:
    """The convolutions that could add the other operand, with that operand."""
    a, b = node.inputs
    spec = edit.specs.get(node.outputs[0])
    if spec is None or edit.specs.get(a) != spec or edit.specs.get(b) != spec:
        return []
    pairs = ((edit.sole(a), b), (edit.sole(b), a))
    return [(conv, other) for conv, other in pairs if conv is not None and is_plain(conv)]


def is_plain(node: Node) -> bool:
    return isinstance(node.op, Conv) and node.op.activation is None and not any(node.inputs[3:])
