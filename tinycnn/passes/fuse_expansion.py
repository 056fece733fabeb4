"""Joins the convolutions between which the most would be written and read again."""

import math

import numpy as np

from tinycnn.ir import Graph, Node
from tinycnn.ops.conv import Conv
from tinycnn.ops.expanded_conv import ExpandedConv
from tinycnn.passes.rewriter import Rewriter

# A smaller value between the two stays in caches.
LEAST_BYTES = 1 << 20

# Most of overlap * (ci + LANES) * w * ci, beyond which computing rows for two strips costs more than is saved. Their
# share is the overlap of windows over the rows of a strip, and the longer rows are, with one block of results (ci +
# LANES) * w, the fewer does a cache hold. An element of theirs costs ci.
MOST_TWICE = 1 << 20
LANES = 16


def fuse_expansion(graph: Graph) -> Graph:
    """A 1x1 convolution and the depthwise one that reads it become one operator, which keeps what is between in caches.

    Before, with x: float32[1x16x112x112]
        a = Conv[activation=clamp(0, 6)](x, e)
        y = Conv[strides=(2, 2), pads=(1, 1, 1, 1), group=96, activation=clamp(0, 6)](a, w, b)
    After
        y = ExpandedConv[first=..., second=...](x, e, w, , b)

    If nothing else reads `a`, it is large, not too dear where windows of neighbouring strips of rows overlap, and all
    weights are known. Needs shapes: runs after `bind`, for targets that have the kernel. Numerics: exact.
    """
    edit = Rewriter(graph)
    for node in edit:
        first = edit.sole(node.inputs[0]) if is_known(edit, node) else None
        if first is not None and expands(edit, first, node):
            (x, we, be), (_, w, b) = ((*n.inputs, "")[:3] for n in (first, node))
            assert isinstance(first.op, Conv) and isinstance(node.op, Conv)
            edit.log(first, "fused", f"into Conv {node.name!r}")
            edit.replace(node, ExpandedConv(first.op, node.op), (x, we, w, be, b), first)
        else:
            edit.keep(node)
    return edit.finish()


def is_known(edit: Rewriter, node: Node) -> bool:
    """Whether it is a convolution by constants, without residual."""
    if type(node.op) is not Conv or any(node.inputs[3:]):
        return False
    constants = [edit.constant(name) for name in node.inputs[1:] if name]
    return all(c is not None and c.dtype == np.float32 for c in constants)


def expands(edit: Rewriter, first: Node, second: Node) -> bool:
    """Whether these, of which one reads the other, are a 1x1 convolution with large results and a depthwise one."""
    if not is_known(edit, first):
        return False
    x, between = (edit.specs[edit.name(name)] for name in (first.inputs[0], first.outputs[0]))
    we, w = (edit.constants[edit.name(node.inputs[1])] for node in (first, second))
    assert isinstance(first.op, Conv) and isinstance(second.op, Conv)
    (n, c, *spatial), ci = between.dims, x.dims[1]
    pointwise = we.shape == (c, ci, *[1] * len(spatial)) and x.dims == (n, ci, *spatial) and not any(first.op.pads)
    depthwise = second.op.group == c and w.shape[:2] == (c, 1)
    large = x.rank in (3, 4) and 4 * c * math.prod(spatial) >= LEAST_BYTES
    return pointwise and depthwise and large and overlap(second.op, w) * (ci + LANES) * spatial[-1] * ci <= MOST_TWICE


def overlap(op: Conv, w: np.ndarray) -> int:
    """Rows that windows of neighbouring output rows have in common."""
    if w.ndim < 4:
        return 0
    return max(0, (w.shape[2] - 1) * (*op.dilations, 1)[0] + 1 - (*op.strides, 1)[0])
