"""Copies between strided views: any element order that NumPy can express, in up to six axes.

Views are made of arrays without memory; what a kernel copies follows from their strides and addresses. All elements are
words of 4 bytes, whatever the dtype of what is moved.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided

RANK = 6
Axis = tuple[int, int, int]  # elements, bytes from one to the next in the source, and in the target


def outline(shape: Sequence[int]) -> np.ndarray:
    """An array of this shape that has strides and an address, but no memory: for making views, never for reading."""
    strides = np.append(np.cumprod(shape[:0:-1], dtype=np.int64)[::-1], 1)[-len(shape) :] * 4 if len(shape) else ()
    return as_strided(np.empty(1, np.float32), shape, tuple(int(s) for s in strides))


def position(view: np.ndarray, of: np.ndarray) -> int:
    """Bytes from the first element of an array to that of a view of it."""
    return int(view.__array_interface__["data"][0] - of.__array_interface__["data"][0])


def collapse(axes: Iterable[Axis]) -> list[Axis]:
    """The same copy with the fewest axes, the target's widest stride first."""
    result: list[Axis] = []
    for n, sx, sy in sorted((a for a in axes if a[0] != 1), key=lambda a: -abs(a[2])):
        if result and result[-1][1:] == (n * sx, n * sy):
            result[-1] = (result[-1][0] * n, sx, sy)
        else:
            result.append((n, sx, sy))
    return result


@dataclass(frozen=True)
class Move:
    """A copy of `axes`, from x bytes into a source to y bytes into a target."""

    axes: tuple[Axis, ...]
    x: int
    y: int

    @classmethod
    def between(cls, source: np.ndarray, view: np.ndarray, target: np.ndarray, place: np.ndarray) -> "Move | None":
        """`place`, a view of `target`, becomes `view`, a view of `source`; None if that takes more than RANK axes."""
        view = np.broadcast_to(view, place.shape)
        axes = collapse(zip(place.shape, view.strides, place.strides, strict=True))
        return cls(tuple(axes), position(view, source), position(place, target)) if len(axes) <= RANK else None

    @property
    def size(self) -> int:
        return int(np.prod([n for n, _, _ in self.axes], dtype=np.int64))

    @property
    def is_contiguous(self) -> bool:
        return all(axis[1:] == (4, 4) for axis in self.axes)
