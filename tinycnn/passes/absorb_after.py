"""Linear operators take a multiply-add per channel of their output into their weights."""

from dataclasses import dataclass, replace

import numpy as np

from tinycnn.ir import Node, Operator
from tinycnn.ops.average_pool import AveragePool
from tinycnn.ops.concat import Concat
from tinycnn.ops.conv import Conv
from tinycnn.ops.conv_transpose import ConvTranspose
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.global_average_pool import GlobalAveragePool
from tinycnn.ops.resize import Resize
from tinycnn.ops.scale_shift import ScaleShift
from tinycnn.passes.affine import Affine, flat, inputs, new_bias, old_bias, scaled
from tinycnn.passes.rewriter import Rewriter

DEPTH = 16  # nodes that are looked through

Absorbed = tuple[Operator, tuple[str, ...]]


@dataclass(frozen=True)
class Source:
    """What computes a value whose channels can be scaled and shifted.

    nodes     linear nodes whose outputs, one after the other, are its channels
    channels  of each of them
    rank      of the value; 0: not known
    """

    nodes: tuple[Node, ...]
    channels: tuple[int, ...]
    rank: int

    def __str__(self) -> str:
        return ", ".join(f"{node.kind} {node.name!r}" for node in self.nodes)

    def absorb(self, edit: Rewriter, affine: Affine) -> bool:
        """Changes the nodes such that they compute scale y + shift instead of y; nothing if that is not finite."""
        if not affine.is_finite or not affine.fits(sum(self.channels)):
            return False
        start = 0
        for node, count in zip(self.nodes, self.channels, strict=True):
            edit.amend(node, *absorbed(edit, node, count, affine.part(slice(start, start + count))))
            start += count
        return True


def source(edit: Rewriter, value: str, depth: int = DEPTH) -> Source | None:
    """What computes a value that is read once: a linear node with known weights, without activation and residual.

    Looks through Concat of channels, and through Resize and averages, which commute with a multiply-add per channel.
    """
    node = edit.sole(value)
    if node is None or not depth:
        return None
    match node.op:
        case Concat(axis=1):
            parts = [source(edit, name, depth - 1) for name in node.inputs]
            found = [part for part in parts if part is not None]
            if len(found) < len(parts) or len({part.rank for part in found}) > 1:
                return None
            nodes = tuple(n for part in found for n in part.nodes)
            return Source(nodes, tuple(c for part in found for c in part.channels), found[0].rank)
        case GlobalAveragePool():
            return source(edit, node.inputs[0], depth - 1)
        case AveragePool(count_include_pad=counted, pads=pads) if not (counted and any(pads)):
            return source(edit, node.inputs[0], depth - 1)
        case Resize() if keeps_channels(edit, node):
            return source(edit, node.inputs[0], depth - 1)
    size = channels_after(edit, node)
    if size is None or not bias_fits(edit, node, size[0]):
        return None
    if getattr(node.op, "activation", None) is not None or any(node.inputs[3:]):
        return None
    return Source((node,), size[:1], size[1])


def keeps_channels(edit: Rewriter, node: Node) -> bool:
    """Whether a Resize leaves batch and channels alone, and invents no values."""
    assert isinstance(node.op, Resize)
    if node.op.coordinate_transformation_mode == "tf_crop_and_resize":
        return False
    if node.op.axes:
        return min(node.op.axes) >= 2
    scales = edit.constant((*node.inputs, "", "")[2])
    return scales is not None and scales.size > 2 and bool((scales[:2] == 1).all())


def bias_fits(edit: Rewriter, node: Node, channels: int) -> bool:
    """Whether a linear node's bias is known, and of a shape that its definition allows."""
    if isinstance(node.op, ScaleShift):
        return True
    b = old_bias(edit, node)
    most_axes = 2 if isinstance(node.op, Gemm) else 1
    return b is not None and b.ndim <= most_axes and b.shape[-1:] in ((), (1,), (channels,))


def channels_after(edit: Rewriter, node: Node) -> tuple[int, int] | None:
    """Channels and rank of what a linear node computes, if its weights are known; rank 0 where it may be any."""
    w = edit.constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if w is None or w.dtype.kind != "f":
        return None
    match node.op:
        case Conv() if w.ndim >= 3:
            return w.shape[0], w.ndim
        case ConvTranspose(group=g) if w.ndim >= 3 and g > 0 and w.shape[0] % g == 0:
            return w.shape[1] * g, w.ndim
        case Gemm(transB=transposed) if w.ndim == 2:
            return w.shape[0 if transposed else 1], 2
        case ScaleShift() if edit.constant(node.inputs[2]) is not None:
            return len(w), 0
    return None


def absorbed(edit: Rewriter, node: Node, channels: int, affine: Affine) -> Absorbed:
    """The linear node that computes scale y + shift, as operator and inputs."""
    x, weight = node.inputs[:2]
    w, op = edit.constants[edit.name(weight)], node.op
    scale = np.broadcast_to(affine.scale, channels)
    if isinstance(op, ScaleShift):
        shift = edit.constants[edit.name(node.inputs[2])] * affine.scale + affine.shift
        weight = edit.change(weight, scaled(w, scale))
        return op, (x, weight, edit.change(node.inputs[2], shift.astype(w.dtype)))
    b = old_bias(edit, node)
    assert b is not None
    match op:
        case Gemm():
            changed = scaled(w, op.alpha * (scale[:, None] if op.transB else scale))
            bias = flat(op.beta * b * affine.scale + affine.shift, channels)
            op = replace(op, alpha=1.0, beta=1.0)
        case ConvTranspose(group=g):
            across = scale.reshape(g, 1, -1, *[1] * (w.ndim - 2))
            changed = scaled(w.reshape(g, -1, *w.shape[1:]), across).reshape(w.shape)
            bias = np.broadcast_to(b * affine.scale + affine.shift, channels)
        case _:
            changed = scaled(w, scale.reshape(-1, *[1] * (w.ndim - 1)))
            bias = np.broadcast_to(b * affine.scale + affine.shift, channels)
    return op, inputs(x, edit.change(weight, changed), new_bias(edit, node, bias, w.dtype))
