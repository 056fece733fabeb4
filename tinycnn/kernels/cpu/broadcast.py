"""Broadcasting in vectors: operands of the blocked layout, and how operands go along the inner run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tinycnn.kernels.broadcast import Broadcast, contiguous
from tinycnn.kernels.lowering import Layout, blocks

STREAM, NUMBER, VECTOR = range(3)  # how an operand goes along the inner run: on, one number, one vector


@dataclass(frozen=True)
class Runs(Broadcast):
    """The last dimension is the inner run; runs: how each operand goes along it."""

    runs: tuple[int, ...]


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


def runs(lay: Broadcast, lanes: int) -> Runs:
    """Pixels of a channel block are one run, where each operand goes on, or repeats a vector, from one to the next."""
    shape, steps = list(lay.dims), [list(step) for step in zip(*lay.strides, strict=True)]
    found = [STREAM if step else NUMBER for step in steps[-1]]
    if shape[-1] == lanes and len(shape) > 1:
        repeats = [outer == 0 and inner == 1 for outer, inner in zip(steps[-2], steps[-1], strict=True)]
        goes_on = [outer == inner * lanes for outer, inner in zip(steps[-2], steps[-1], strict=True)]
        if all(r or g for r, g in zip(repeats, goes_on, strict=True)):
            found = [VECTOR if r else run for r, run in zip(repeats, found, strict=True)]
            shape[-2:] = [shape[-2] * lanes]
            del steps[-2]
    return Runs(tuple(shape), tuple(zip(*steps, strict=True)), tuple(found))
