"""Linear operators take up a multiply-add per channel into their weights."""

import math
from dataclasses import dataclass, replace

import numpy as np

from tinycnn.ir import Node, Operator
from tinycnn.ops.conv import Conv
from tinycnn.ops.conv_transpose import ConvTranspose
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.scale_shift import ScaleShift
from tinycnn.passes.rewriter import Rewriter


@dataclass(frozen=True)
class Affine:
    """y = scale x + shift on each channel; float64 [c] both, or [1] for one number on all channels."""

    scale: np.ndarray
    shift: np.ndarray

    @property
    def is_finite(self) -> bool:
        """In float32, too."""
        with np.errstate(over="ignore"):
            return all(np.isfinite(v.astype(np.float32)).all() for v in (self.scale, self.shift))

    def fits(self, channels: int) -> bool:
        return len(self.scale) in (1, channels) and len(self.shift) in (1, channels)


Absorbed = tuple[Operator, tuple[str, ...]]


def absorb_after(edit: Rewriter, node: Node, affine: Affine) -> Absorbed | None:
    """A linear node that computes scale y + shift instead of y, as operator and inputs; None where it cannot.

    Its weights are multiplied in float64 and rounded once.
    """
    if getattr(node.op, "activation", None) is not None or not affine.is_finite:
        return None
    match node.op:
        case Conv() | ConvTranspose():
            return _conv_after(edit, node, affine)
        case Gemm():
            return _gemm_after(edit, node, affine)
        case ScaleShift():
            return _scale_shift_after(edit, node, affine)
    return None


def absorb_before(edit: Rewriter, node: Node, affine: Affine) -> Absorbed | None:
    """A linear node that reads x where it read scale x + shift, as operator and inputs; None where it cannot.

    A shift is taken up only where no padding stands beside it.
    """
    if not affine.is_finite:
        return None
    match node.op:
        case Conv() | ConvTranspose():
            return _conv_before(edit, node, affine)
        case Gemm():
            return _gemm_before(edit, node, affine)
    return None


def channels_after(edit: Rewriter, node: Node) -> tuple[int, int] | None:
    """Channels and rank of what a linear node computes, if its weights are known; rank 0 where it may be any."""
    w = edit.constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if w is None or w.dtype.kind != "f":
        return None
    match node.op:
        case Conv() if w.ndim >= 3:
            return w.shape[0], w.ndim
        case ConvTranspose(group=g) if w.ndim >= 3:
            return w.shape[1] * g, w.ndim
        case Gemm(transB=transposed) if w.ndim == 2:
            return w.shape[0 if transposed else 1], 2
        case ScaleShift():
            return len(w), 0
    return None


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


def scaled(w: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """w * scale, computed in float64, in the dtype of w."""
    with np.errstate(over="ignore", invalid="ignore"):
        out: np.ndarray = np.empty_like(w, order="C")
        np.multiply(w, scale, out=out, dtype=np.float64, casting="same_kind")
        return out


def _bias(edit: Rewriter, node: Node, wish: str, value: np.ndarray, dtype: np.dtype) -> str:
    """The name of a constant with the new bias; none where it is all zero and there was none."""
    with np.errstate(over="ignore"):
        b = value.astype(dtype)
    old = node.inputs[2] if len(node.inputs) > 2 else ""
    if old:
        return edit.change(old, b)
    return edit.add(wish, b) if b.any() else ""


def _old_bias(edit: Rewriter, node: Node) -> np.ndarray | None:
    """The bias in float64, a zero where there is none; None where it is not known."""
    name = node.inputs[2] if len(node.inputs) > 2 else ""
    b = edit.constant(name)
    return np.zeros(1) if not name else None if b is None else b.astype(np.float64)


def _inputs(x: str, w: str, b: str) -> tuple[str, ...]:
    return (x, w, b) if b else (x, w)


def _conv_after(edit: Rewriter, node: Node, affine: Affine) -> Absorbed | None:
    size, b, w = channels_after(edit, node), _old_bias(edit, node), edit.constant(node.inputs[1])
    if size is None or b is None or w is None or not affine.fits(size[0]) or any(node.inputs[3:]):
        return None
    scale = np.broadcast_to(affine.scale, size[0])
    if isinstance(node.op, Conv):
        grouped, across = w, scale.reshape(-1, *[1] * (w.ndim - 1))
    else:
        g = node.op.group  # type: ignore[attr-defined]
        grouped = w.reshape(g, -1, *w.shape[1:])
        across = scale.reshape(g, 1, -1, *[1] * (w.ndim - 2))
    weight = edit.change(node.inputs[1], scaled(grouped, across).reshape(w.shape))
    shift = np.broadcast_to(b * affine.scale + affine.shift, size[0])
    return node.op, _inputs(node.inputs[0], weight, _bias(edit, node, f"{node.outputs[0]}.bias", shift, w.dtype))


def _conv_before(edit: Rewriter, node: Node, affine: Affine) -> Absorbed | None:
    size, b, w = channels_before(edit, node), _old_bias(edit, node), edit.constant(node.inputs[1])
    if size is None or b is None or w is None or not affine.fits(size[0]):
        return None
    op = node.op
    if affine.shift.any() and (not isinstance(op, Conv) or any(op.pads) or op.auto_pad != "NOTSET"):
        return None
    g = op.group  # type: ignore[attr-defined]
    scale, shift = (np.broadcast_to(v, size[0]) for v in (affine.scale, affine.shift))
    if isinstance(op, Conv):
        grouped = w.reshape(g, -1, *w.shape[1:])
        across = (g, 1, -1, *[1] * (w.ndim - 2))
    else:
        grouped, across = w, (-1, *[1] * (w.ndim - 1))
    if affine.shift.any():
        # Each output channel sums its taps times the shift of the channel that they read.
        b = b + np.einsum("goik,gi->go", _taps(grouped), shift.reshape(g, -1)).reshape(-1)
    weight = edit.change(node.inputs[1], scaled(grouped, scale.reshape(across)).reshape(w.shape))
    old = node.inputs[2] if len(node.inputs) > 2 else ""
    bias = _bias(edit, node, f"{node.outputs[0]}.bias", b, w.dtype) if affine.shift.any() else old
    return op, (node.inputs[0], weight, bias, *node.inputs[3:]) if bias or node.inputs[3:] else (node.inputs[0], weight)


def _taps(grouped: np.ndarray) -> np.ndarray:
    """[g, co/g, ci/g, taps] in float64."""
    return grouped.reshape(*grouped.shape[:3], math.prod(grouped.shape[3:])).astype(np.float64)


def _gemm_after(edit: Rewriter, node: Node, affine: Affine) -> Absorbed | None:
    assert isinstance(node.op, Gemm)
    op, w, c = node.op, edit.constant(node.inputs[1]), _old_bias(edit, node)
    size = channels_after(edit, node)
    if size is None or w is None or c is None or not affine.fits(size[0]):
        return None
    scale = np.broadcast_to(affine.scale, size[0]) * op.alpha
    weight = edit.change(node.inputs[1], scaled(w, scale[:, None] if op.transB else scale))
    shift = op.beta * c * affine.scale + affine.shift
    bias = _bias(edit, node, f"{node.outputs[0]}.bias", _flat(shift, size[0]), w.dtype)
    return replace(op, alpha=1.0, beta=1.0), _inputs(node.inputs[0], weight, bias)


def _gemm_before(edit: Rewriter, node: Node, affine: Affine) -> Absorbed | None:
    assert isinstance(node.op, Gemm)
    op, w, c = node.op, edit.constant(node.inputs[1]), _old_bias(edit, node)
    size = channels_before(edit, node)
    if size is None or w is None or not affine.fits(size[0]):
        return None
    scale, shift = (np.broadcast_to(v, size[0]) for v in (affine.scale, affine.shift))
    old = node.inputs[2] if len(node.inputs) > 2 else ""
    if affine.shift.any() and c is None:
        return None
    if affine.shift.any() and c is not None:
        rows = w.astype(np.float64)
        added = op.alpha * (rows @ shift if op.transB else shift @ rows)
        old = _bias(edit, node, f"{node.outputs[0]}.bias", _flat(op.beta * c + added, len(added)), w.dtype)
        op = replace(op, beta=1.0)
    weight = edit.change(node.inputs[1], scaled(w, scale if op.transB else scale[:, None]))
    return op, _inputs(node.inputs[0], weight, old)


def _flat(c: np.ndarray, n: int) -> np.ndarray:
    """A bias [n] where it is the same in every row, else as it is."""
    return np.broadcast_to(c.reshape(-1), n) if c.ndim < 2 or c.shape[0] == 1 else c


def _scale_shift_after(edit: Rewriter, node: Node, affine: Affine) -> Absorbed | None:
    scale, shift = map(edit.constant, node.inputs[1:3])
    if scale is None or shift is None or not affine.fits(len(scale)):
        return None
    dtype = scale.dtype
    both = scale.astype(np.float64) * affine.scale, shift.astype(np.float64) * affine.scale + affine.shift
    names = (edit.change(name, value.astype(dtype)) for name, value in zip(node.inputs[1:3], both, strict=True))
    return node.op, (node.inputs[0], *names)
