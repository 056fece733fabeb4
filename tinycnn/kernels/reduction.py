"""Reductions over any axes as a series of folds, whatever platform computes them.

Neighbouring axes fold as one, the innermost first. A fold sees its tensor as [outer, axis, inner].
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tinycnn.kernels.lowering import Request
from tinycnn.ops.activation import Activation

FOLDS = ("sum", "max", "min", "sum_abs", "sum_square")
START = {"max": -math.inf, "min": math.inf, "sum": 0.0, "sum_abs": 0.0, "sum_square": 0.0}

# The first fold, those that follow, and what is done to the result.
REDUCTIONS: dict[str, tuple[str, str, Activation | None]] = {
    "ReduceSum": ("sum", "sum", None),
    "ReduceMean": ("sum", "sum", None),
    "ReduceMax": ("max", "max", None),
    "ReduceMin": ("min", "min", None),
    "ReduceL1": ("sum_abs", "sum", None),
    "ReduceL2": ("sum_square", "sum", Activation("sqrt")),
    "ReduceSumSquare": ("sum_square", "sum", None),
    "ReduceLogSum": ("sum", "sum", Activation("log")),
}

# Sizes of a tensor's axes, and whether each is folded.
Axes = Sequence[tuple[int, bool]]


@dataclass(frozen=True)
class Fold:
    """y[outer, inner] = finish(scale * fold over the axis of x[outer, axis, inner]).

    name  one of FOLDS
    last  whether y is the reduction's result
    """

    name: str
    outer: int
    axis: int
    inner: int
    scale: float
    finish: Activation | None
    last: bool


def groups(dims: Sequence[int], axes: Iterable[int]) -> list[tuple[int, bool]]:
    """Neighbouring dimensions that go together: (size, folded?), those of size 1 left out."""
    flags = [(d, i in axes) for i, d in enumerate(dims) if d > 1]
    return [(math.prod(d for d, _ in same), folded) for folded, same in itertools.groupby(flags, lambda pair: pair[1])]


def reduced_axes(r: Request) -> tuple[int, ...] | None:
    """The axes that the operator folds, in order; None where they are not known."""
    x, given, axes = r.inputs[0], (*r.inputs, None)[1], (*r.values, None)[1]
    if x is None or (given is not None and axes is None):
        return None
    return tuple(sorted(r.op.axes(x.rank, axes)))


def folds(kind: str, shape: Axes) -> Iterator[Fold]:
    """The folds that make up a reduction of REDUCTIONS, each of the result of the one before; at least one."""
    first, following, finish = REDUCTIONS[kind]
    if not any(folded for _, folded in shape):
        shape = [(1, True), *shape]
    sizes, places = [d for d, _ in shape], [i for i, (_, folded) in enumerate(shape) if folded]
    scale = 1 / math.prod(sizes[i] for i in places) if kind == "ReduceMean" else 1.0
    for i in reversed(places):
        last = i == places[0]
        name = first if i == places[-1] else following
        outer, axis, inner = math.prod(sizes[:i]), sizes[i], math.prod(sizes[i + 1 :])
        yield Fold(name, outer, axis, inner, scale if last else 1.0, finish if last else None, last)
        sizes[i] = 1
