"""Base of the operators that normalise by statistics of their input itself."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.ops.op import Op


def standardized(x: np.ndarray, axes: tuple[int, ...], epsilon: float) -> np.ndarray:
    """(x - mean) / sqrt(variance + epsilon) with the statistics over `axes`, in float64."""
    wide = x.astype(np.float64)
    centred = wide - wide.mean(axes, keepdims=True)
    with np.errstate(all="ignore"):
        return centred / np.sqrt((centred**2).mean(axes, keepdims=True) + epsilon)


def per_channel(v: np.ndarray, rank: int) -> np.ndarray:
    """[c] as it broadcasts to [n, c, ...]."""
    return v.astype(np.float64).reshape(-1, *[1] * (rank - 2))


@dataclass(frozen=True)
class _Normalization(Op):
    """Base: x, scale and b, in floats."""

    arity: ClassVar[tuple[int, int]] = (3, 3)
    dtypes: ClassVar[str] = "f"

    epsilon: float = 1e-5
