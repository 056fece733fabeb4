"""One multiply-add per channel, as batch normalisations and constants are, and what its absorption needs."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ir import Node
from tinycnn.ir.memory import readable
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

    def part(self, channels: slice) -> "Affine":
        """What it does to some of the channels."""
        scale, shift = (v if len(v) == 1 else v[channels] for v in (self.scale, self.shift))
        return Affine(scale, shift)


def scaled(w: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """w * scale, computed in float64, in the dtype of w."""
    out = readable(w.shape, w.dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        np.multiply(w, scale, out=out, dtype=np.float64, casting="same_kind")
    return out


def old_bias(edit: Rewriter, node: Node) -> np.ndarray | None:
    """The bias of a linear node in float64, a zero where there is none; None where it is not known."""
    name = node.inputs[2] if len(node.inputs) > 2 else ""
    b = edit.constant(name)
    return np.zeros(1) if not name else None if b is None else b.astype(np.float64)


def new_bias(edit: Rewriter, node: Node, value: np.ndarray, dtype: np.dtype) -> str:
    """The name of a constant with this bias; none where it is all zero and there was none."""
    with np.errstate(over="ignore"):
        b = value.astype(dtype)
    old = node.inputs[2] if len(node.inputs) > 2 else ""
    if old:
        return edit.change(old, b)
    return edit.add(f"{node.outputs[0]}.bias", b) if b.any() else ""


def flat(c: np.ndarray, n: int) -> np.ndarray:
    """A bias [n] where it is the same in every row of [m, n], else as it is."""
    return np.broadcast_to(c.reshape(-1), n) if c.ndim < 2 or c.shape[0] == 1 else c


def inputs(x: str, w: str, b: str) -> tuple[str, ...]:
    return (x, w, b) if b else (x, w)
