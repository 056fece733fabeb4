"""Linear operators take a multiply-add per channel of their input into their weights."""

import math
from dataclasses import replace

import numpy as np

from tinycnn.ir import Node, Operator
from tinycnn.ops.conv import Conv
from tinycnn.ops.conv_transpose import ConvTranspose
from tinycnn.ops.gemm import Gemm
from tinycnn.passes.affine import Affine, flat, new_bias, old_bias, scaled
from tinycnn.passes.rewriter import Rewriter


def channels_before(edit: Rewriter, node: Node) -> tuple[int, int] | None:
    """Channels and rank of what a linear node reads, if its weights are known."""
    w = edit.constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if w is None or w.dtype.kind != "f":
        return None
    match node.op:
        case Conv(group=g) if w.ndim >= 3:
            return w.shape[1] * g, w.ndim
        case ConvTranspose() if w.ndim >= 3:
            return w.shape[0], w.ndim
        case Gemm(transA=0, transB=transposed) if w.ndim == 2:
            return w.shape[1 if transposed else 0], 2
    return None


def absorb_before(edit: Rewriter, node: Node, affine: Affine) -> tuple[Operator, tuple[str, ...]] | None:
    """A linear node that reads x where it read scale x + shift, as operator and inputs; None where it cannot.

    A shift is taken up only where no padding stands beside it.
    """
    size = channels_before(edit, node)
    if size is None or not affine.is_finite or not affine.fits(size[0]):
        return None
    shifted, op, w = bool(affine.shift.any()), node.op, edit.constants[edit.name(node.inputs[1])]
    b = old_bias(edit, node)
    padded = isinstance(op, ConvTranspose) or (isinstance(op, Conv) and any(op.pads))
    if shifted and (b is None or padded):
        return None
    scale, shift = (np.broadcast_to(v, size[0]) for v in (affine.scale, affine.shift))
    bias = node.inputs[2] if len(node.inputs) > 2 else ""
    match op:
        case Gemm():
            changed = scaled(w, scale if op.transB else scale[:, None])
            if shifted and b is not None:
                wide = w.astype(np.float64)
                added = op.alpha * (wide @ shift if op.transB else shift @ wide)
                bias = new_bias(edit, node, flat(op.beta * b + added, len(added)), w.dtype)
                op = replace(op, beta=1.0)
        case Conv(group=g):
            grouped = w.reshape(g, -1, *w.shape[1:])
            changed = scaled(grouped, scale.reshape(g, 1, -1, *[1] * (w.ndim - 2))).reshape(w.shape)
            if shifted and b is not None:
                # Each output channel adds its taps times the shift of the channel that they read.
                taps = grouped.reshape(*grouped.shape[:3], math.prod(grouped.shape[3:])).astype(np.float64)
                added = np.einsum("goik,gi->go", taps, shift.reshape(g, -1)).reshape(-1)
                bias = new_bias(edit, node, b + added, w.dtype)
        case _:
            changed = scaled(w, scale.reshape(-1, *[1] * (w.ndim - 1)))
    read = (node.inputs[0], edit.change(node.inputs[1], changed), bias, *node.inputs[3:])
    return op, read if any(read[2:]) else read[:2]
