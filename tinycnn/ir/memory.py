"""Memory that kernels read constants from: aligned, followed by bytes that they may read as well, in large pages."""

import contextlib
import math
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

ALIGNMENT = 64
"""Of the first byte: a line of the cache, and the widest vector."""

OVERREAD = 4096
"""Bytes behind a value that a kernel may read, never write, and whose contents it must ignore: tails of tiles."""

HUGE_PAGE = 2 << 20
"""Bytes of a page of which one entry of the TLB tells the address, on x86 and most of AArch64."""

ASKS_FOR_HUGE_PAGES = 4 << 20
"""Bytes from which on NumPy does so for an array, on Linux: numpy/_core/src/multiarray/alloc.c."""

SLAB_BYTES = 32 << 20
"""Of a slab; only what is touched takes memory. Larger networks stream their weights, and page walks hide behind it."""

owners: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()


def aligned(nbytes: int, alignment: int = ALIGNMENT) -> np.ndarray:
    """Uninitialised bytes that start at a multiple of the alignment."""
    owner = np.empty(nbytes + alignment, np.uint8)
    start = -owner.ctypes.data % alignment
    return owner[start : start + nbytes]


def in_huge_pages(nbytes: int) -> np.ndarray:
    """Uninitialised bytes, in huge pages where the system has them."""
    return aligned(max(nbytes, ASKS_FOR_HUGE_PAGES), HUGE_PAGE)[:nbytes]


class Slab:
    """Memory in huge pages for arrays that are read together and each too small for a page of its own: a read of them
    misses the TLB less often. It is the system's again when the last array in it is gone."""

    def __init__(self) -> None:
        self.rest = in_huge_pages(SLAB_BYTES)

    def take(self, nbytes: int) -> np.ndarray:
        """Uninitialised aligned bytes, and OVERREAD behind them, which are not theirs alone; memory of its own for
        what does not fit."""
        if nbytes + OVERREAD > self.rest.nbytes:
            return aligned(nbytes + OVERREAD)
        block = self.rest[: nbytes + OVERREAD]
        self.rest = self.rest[-(-nbytes // ALIGNMENT) * ALIGNMENT :]
        return block

    @contextlib.contextmanager
    def provide(self) -> Iterator[None]:
        """Inside, what `readable` makes in this thread lies here."""
        outer, current.slab = current.slab, self
        try:
            yield
        finally:
            current.slab = outer


class Current(threading.local):
    slab: Slab | None = None


current = Current()


def readable(shape: Sequence[int], dtype: Any = np.float32) -> np.ndarray:
    """An uninitialised array of which `block_of` needs no copy. It must not change once it is a constant."""
    nbytes = math.prod(shape) * np.dtype(dtype).itemsize
    if current.slab:
        block = current.slab.take(nbytes)
    else:
        block = aligned(nbytes + OVERREAD)
        block[nbytes:] = 0
    assert block.base is not None
    owners[id(block.base)] = block.base
    return block[:nbytes].view(dtype).reshape(shape)


def block_of(array: np.ndarray) -> np.ndarray:
    """The bytes of an array and OVERREAD more, aligned: those of the array itself where it comes from `readable`."""
    owner = array.base
    if owner is not None and owners.get(id(owner)) is owner and array.flags.c_contiguous:
        start = array.ctypes.data - owner.ctypes.data
        if array.ctypes.data % ALIGNMENT == 0 and start + array.nbytes + OVERREAD <= owner.nbytes:
            return owner[start : start + array.nbytes + OVERREAD]
    copy = readable(array.shape, array.dtype)
    copy[...] = array
    return block_of(copy)
