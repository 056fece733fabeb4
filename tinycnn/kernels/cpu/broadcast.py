"""How broadcast operands lie in memory: strides per dimension of the output, merged to as few as possible."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tinycnn.kernels.lowering import Layout, blocks

STREAM, NUMBER, VECTOR = range(3)  # how an operand goes along the inner run: on, one number, one vector


@dataclass(frozen=True)
class Broadcast:
    """dims: outermost first, the last is the inner run; strides: per operand and dimension, in elements."""

    dims: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    runs: tuple[int, ...]


def contiguous(shape: Sequence[int], step: int = 1) -> tuple[int, ...]:
    """Strides in elements, 0 along dimensions of size 1."""
    return tuple(0 if d == 1 else step * math.prod(shape[i + 1 :]) for i, d in enumerate(shape))


def plain_strides(shape: Sequence[int], out: Sequence[int]) -> tuple[int, ...]:
    return (0,) * (len(out) - len(shape)) + contiguous(shape)


def blocked_dims(out: Sequence[int], lanes: int) -> tuple[int, ...]:
    """[n, c, *spatial] as it lies in the blocked layout."""
    n, c, *spatial = out
    return (n, blocks(c, lanes), *spatial, lanes)


def blocked_strides(shape: Sequence[int], out: Sequence[int], lanes: int) -> tuple[Layout, tuple[int, ...]] | None:
    """The layout in which an operand can be combined with a blocked output, and its strides over `blocked_dims(out)`.

    An operand with all channels must be blocked too; one that is the same for all channels is read from the plain
    layout, a number for each pixel. None where a dimension is missing.
    """
    n, c, *spatial = (1,) * (len(out) - len(shape)) + tuple(shape)
    if c == 1 and (out[1] > 1 or math.prod(spatial) * n == 1):
        image, *rest = contiguous((n, *spatial))
        return "plain", (image, 0, *rest, 0)
    if len(shape) != len(out):
        return None
    return "blocked", (*contiguous((n, blocks(c, lanes), *spatial), lanes), 1)


def merge(dims: Sequence[int], strides: Sequence[Sequence[int]], lanes: int) -> Broadcast:
    """Joins neighbouring dimensions along which every operand goes on evenly, and drops those of size 1."""
    shape: list[int] = []
    steps: list[list[int]] = []  # per dimension, per operand
    for d, *step in zip(dims, *strides, strict=True):
        if d == 1:
            continue
        if shape and all(outer == inner * d for outer, inner in zip(steps[-1], step, strict=True)):
            shape[-1], steps[-1] = shape[-1] * d, step
        else:
            shape.append(d)
            steps.append(step)
    if not shape:
        shape, steps = [1], [[1] * len(strides)]
    runs = [STREAM if step else NUMBER for step in steps[-1]]
    if shape[-1] == lanes and len(shape) > 1:
        repeats = [outer == 0 and inner == 1 for outer, inner in zip(steps[-2], steps[-1], strict=True)]
        goes_on = [outer == inner * lanes for outer, inner in zip(steps[-2], steps[-1], strict=True)]
        if all(r or g for r, g in zip(repeats, goes_on, strict=True)):
            runs = [VECTOR if r else run for r, run in zip(repeats, runs, strict=True)]
            shape[-2:] = [shape[-2] * lanes]
            del steps[-2]
    return Broadcast(tuple(shape), tuple(zip(*steps, strict=True)), tuple(runs))
