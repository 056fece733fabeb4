"""Reductions over every set of axes."""

import itertools
from collections.abc import Sequence

import numpy as np

from tinycnn.ops import REGISTRY
from tinycnn.ops.op import Op

Case = tuple[tuple[int, ...], tuple[int, ...] | None]

CASES: list[Case] = [
    (shape, axes)
    for shape in [(2, 19, 5, 7), (3, 1, 70), (1, 33, 16)]
    for n in range(1, len(shape) + 1)
    for axes in itertools.combinations(range(len(shape)), n)
]
CASES += [((2, 3, 2, 5, 3, 2), (0, 2, 4)), ((2, 1000), (1,)), ((1000, 3), (0,)), ((2, 16, 33, 31), (2, 3))]
CASES += [((5,), (-1,)), ((1, 7, 9, 11), (-1, -2)), ((), None), ((3, 4), None)]


def magnitude(op: Op, arrays: Sequence[np.ndarray | None]) -> np.ndarray:
    """What rounding errors of the reduction are measured in: the sum of the magnitudes that it adds up."""
    expected, x = op.reference(*arrays)[0], arrays[0]
    assert x is not None
    if op.kind in ("ReduceL2", "ReduceSumSquare"):
        return np.abs(expected)
    if op.kind == "ReduceLogSum":
        return np.asarray(1 + np.abs(expected))
    (size,) = REGISTRY["ReduceL1"](op.keepdims, op.noop_with_empty_axes).reference(*arrays)  # type: ignore[attr-defined]
    return np.asarray(size * (expected.size / x.size) if op.kind == "ReduceMean" else size)
