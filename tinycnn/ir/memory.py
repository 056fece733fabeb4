"""Memory that kernels read constants from: aligned, and followed by bytes that they may read as well."""

import math
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

ALIGNMENT = 64
"""Of the first byte: a line of the cache, and the widest vector."""

OVERREAD = 4096
"""Bytes behind a value that a kernel may read, never write, and whose contents it must ignore: tails of tiles."""

SLAB_BYTES = 8 << 20
"""Of the largest slab. NumPy asks for huge pages from 4 MB on, which spare kernels the walk through page tables."""

owners: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()


class Slab:
    """A piece of memory that is handed out from its start; released when all that lies in it is. Each is twice as large
    as the one before, so that small models need little. Safe to use from many threads."""

    def __init__(self) -> None:
        self.memory, self.used = aligned(0), 0
        self.next_bytes, self.lock = 1 << 18, threading.Lock()

    def take(self, nbytes: int) -> np.ndarray:
        """So many bytes, aligned; of a piece of their own if they are as many as a large slab's half."""
        if nbytes > SLAB_BYTES // 2:
            return aligned(nbytes)
        with self.lock:
            if self.used + nbytes > self.memory.nbytes:
                self.memory, self.used = aligned(max(self.next_bytes, nbytes)), 0
                self.next_bytes = min(SLAB_BYTES, 2 * self.next_bytes)
            taken = self.memory[self.used : self.used + nbytes]
            self.used += -(-nbytes // ALIGNMENT) * ALIGNMENT
            return taken


def aligned(nbytes: int) -> np.ndarray:
    """Uninitialised bytes that start at a multiple of ALIGNMENT."""
    owner = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -owner.ctypes.data % ALIGNMENT
    return owner[start : start + nbytes]


slab = Slab()


def readable(shape: Sequence[int], dtype: Any = np.float32, stays: bool = False) -> np.ndarray:
    """An uninitialised array of which `block_of` needs no copy. It must not change once it is a constant.

    stays  whether it lives for long, so that it may lie in one piece with others that do
    """
    nbytes = math.prod(shape) * np.dtype(dtype).itemsize
    block = (slab.take if stays else aligned)(nbytes + OVERREAD)
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
    copy = readable(array.shape, array.dtype, stays=True)
    copy[...] = array
    return block_of(copy)
