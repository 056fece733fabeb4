"""Lets a window do the padding that a node of its own does before it."""

from dataclasses import replace

import numpy as np

from tinycnn.ir import Graph, Node
from tinycnn.ops.average_pool import AveragePool
from tinycnn.ops.conv import Conv
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.pad import Pad
from tinycnn.ops.relu import Relu
from tinycnn.ops.shapes import Shape
from tinycnn.passes.rewriter import Rewriter


def fold_pad(graph: Graph) -> Graph:
    """A constant Pad of spatial axes becomes the pads of the window that alone reads it.

    Before
        constant p: int64[8]
        a = Pad(x, p)
        y = Conv(a, w)
    After
        y = Conv[pads=(1, 2, 1, 2)](x, w)

    Zeros before a Conv; zeros before an AveragePool without ceil_mode, which then counts its padding; before a MaxPool
    without ceil_mode -inf, or zeros where nothing padded is negative, if every window reaches the input.
    Numerics: exact.
    """
    edit = Rewriter(graph)
    for node in edit:
        before = edit.sole(node.inputs[0]) if isinstance(node.op, Conv | AveragePool | MaxPool) else None
        op = padded(edit, node, before) if before is not None else None
        if before is not None and op is not None:
            edit.replace(node, op, (before.inputs[0], *node.inputs[1:]), before)
            edit.log(before, "fused", f"into {node.kind} {node.name!r}")
        else:
            edit.keep(node)
    return edit.finish()


def padded(edit: Rewriter, node: Node, before: Node) -> Conv | AveragePool | MaxPool | None:
    """The operator that pads by itself what `before` pads for it."""
    if not isinstance(before.op, Pad) or before.op.mode != "constant":
        return None
    value = edit.constant((*before.inputs, "")[2])
    if (value is None and any(before.inputs[2:3])) or (value is not None and value.size != 1):
        return None
    fill = 0.0 if value is None else float(value.item())
    match node.op:
        case Conv(auto_pad="NOTSET") as conv if fill == 0:
            w = edit.constant(node.inputs[1])
            pads = spatial_pads(edit, before, w.ndim - 2) if w is not None else None
            return replace(conv, pads=total(conv.pads, pads)) if pads else None
        case AveragePool(ceil_mode=0, auto_pad="NOTSET") as pool if fill == 0:
            pads = spatial_pads(edit, before, len(pool.kernel_shape))
            counted = pool.count_include_pad or not any(pool.pads)
            return replace(pool, pads=total(pool.pads, pads), count_include_pad=1) if pads and counted else None
        case MaxPool(ceil_mode=0, auto_pad="NOTSET") as pool if not any(pool.dilations) or max(pool.dilations) == 1:
            pads = spatial_pads(edit, before, len(pool.kernel_shape))
            if not pads or (fill != -np.inf and not (fill == 0 and never_negative(edit, before.inputs[0]))):
                return None
            both = total(pool.pads, pads)
            return replace(pool, pads=both) if all(map(int.__lt__, both, pool.kernel_shape * 2)) else None
    return None


def spatial_pads(edit: Rewriter, node: Node, spatial: int) -> Shape | None:
    """Begins, then ends, of a Pad that touches only the spatial axes and cuts nothing off."""
    pads, axes = edit.constant(node.inputs[1]), edit.constant((*node.inputs, "", "")[3])
    if pads is None or (axes is None and any(node.inputs[3:])):
        return None
    rank = spatial + 2
    where = np.arange(rank) if axes is None else axes % rank
    if pads.size != 2 * where.size or pads.min(initial=0) < 0:
        return None
    amounts = np.zeros((2, rank), np.int64)
    amounts[:, where] = pads.reshape(2, -1)
    return None if amounts[:, :2].any() else tuple(amounts[:, 2:].reshape(-1).tolist())


def total(own: Shape, added: Shape | None) -> Shape:
    added = added or ()
    return tuple(a + b for a, b in zip(own or (0,) * len(added), added, strict=True))


def never_negative(edit: Rewriter, value: str) -> bool:
    """Whether a value comes from a clamp at zero or above."""
    node = edit.producer(value)
    if node is None:
        return False
    activation = getattr(node.op, "activation", None)
    if callable(activation):
        return isinstance(node.op, Relu)
    return activation is not None and activation.function == "clamp" and activation.alpha >= 0
