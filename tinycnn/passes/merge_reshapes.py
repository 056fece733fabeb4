"""Brings everything that only gives a tensor another shape into one form, and merges chains of it."""

import numpy as np

from tinycnn.ir import Graph, Node
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.reshape import Reshape
from tinycnn.ops.squeeze import Squeeze
from tinycnn.ops.transpose import Transpose
from tinycnn.ops.unsqueeze import Unsqueeze
from tinycnn.passes.rewriter import Rewriter


def merge_reshapes(graph: Graph) -> Graph:
    """Reshape, Flatten, Squeeze, Unsqueeze and a Transpose of axes of size 1 become one Reshape to a constant shape.

    Before, with x: float32[2x3x1x1]
        a = Squeeze(x)
        b = Unsqueeze(a, axes)
        y = Flatten(b)
    After
        constant shape.2x3: int64[2]
        y = Reshape(x, shape.2x3)

    One that leaves the shape as it was is bypassed. Needs shapes: runs after `bind`. Numerics: exact.
    """
    edit = Rewriter(graph)
    shapes: dict[tuple[int, ...], str] = {}
    for node in edit:
        spec = edit.specs.get(node.outputs[0])
        if spec is None or 0 in spec.dims or not is_reshape(edit, node):
            edit.keep(node)
            continue
        x = source(edit, node.inputs[0])
        before = edit.specs.get(x)
        if before == spec:
            edit.log(node, "removed", "keeps the shape")
            edit.bypass(node, x)
            continue
        shape = np.array(spec.dims, np.int64)
        if isinstance(node.op, Reshape) and np.array_equal(shape, edit.constants.get(node.inputs[1], ())):
            shapes.setdefault(spec.dims, node.inputs[1])
            if x == node.inputs[0]:
                edit.keep(node)
                continue
        if spec.dims not in shapes:
            shapes[spec.dims] = edit.add(f"shape.{'x'.join(map(str, spec.dims)) or 'scalar'}", shape)
        edit.replace(node, Reshape(), (x, shapes[spec.dims]))
    return edit.finish()


def is_reshape(edit: Rewriter, node: Node) -> bool:
    """Whether a node keeps the elements of its first input in their order."""
    if isinstance(node.op, Transpose):
        x = edit.specs.get(node.inputs[0])
        if x is None:
            return False
        order = [axis for axis in node.op.order(x.rank) if x.dims[axis] != 1]
        return order == sorted(order)
    return isinstance(node.op, Reshape | Flatten | Squeeze | Unsqueeze)


def source(edit: Rewriter, value: str) -> str:
    """The value behind the Reshape that computes this one, if there is one; chains are merged from their start."""
    node = edit.producer(value)
    found = node.inputs[0] if node is not None and isinstance(node.op, Reshape) else value
    return edit.name(found)
