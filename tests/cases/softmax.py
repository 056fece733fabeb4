"""Softmax along every axis of small and wide tensors, and how near its results must come."""

import numpy as np

SHAPES = [(1, 10), (3, 1000), (2, 17, 5, 33), (1, 4, 16), (1, 1), (5,), (2, 0, 3), (0, 3), (2, 65, 1)]
CASES = [(shape, axis) for shape in SHAPES for axis in range(-1, len(shape) - 1)]


def tolerance(kind: str, x: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """x - max is rounded before the exponential; a logarithm is the rounded difference of that and another, and the
    reference is rounded to float32 as well. Below 1e-38 there are fewer digits."""
    widest = 2 * np.abs(x).max(initial=0)  # of x - max
    if kind == "LogSoftmax":
        return np.asarray(2.0**-24 * (3 * widest + 8))
    return np.asarray(2.0**-24 * (widest + 8) * expected + 1e-38)


def special(rng: np.random.Generator) -> np.ndarray:
    """f32 [6, 21, 21] with a NaN, infinities and huge numbers."""
    x = rng.standard_normal((6, 21, 21), np.float32)
    x[0, 3, 3], x[1, 4, 4], x[2, 5, 5], x[3], x[4] = np.nan, -np.inf, np.inf, -np.inf, 1e30
    return x
