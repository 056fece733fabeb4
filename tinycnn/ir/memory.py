"""Memory that kernels read constants from: aligned, and followed by bytes that they may read as well."""

import math
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

ALIGNMENT = 64
"""Of the first byte: a line of the cache, and the widest vector."""

OVERREAD = 4096
"""Bytes behind a value that a kernel may read, never write, and whose contents it must ignore: tails of tiles."""

owners: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()


def aligned(nbytes: int) -> np.ndarray:
    """Uninitialised bytes that start at a multiple of ALIGNMENT."""
    owner = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -owner.ctypes.data % ALIGNMENT
    return owner[start : start + nbytes]


def readable(shape: Sequence[int], dtype: Any = np.float32) -> np.ndarray:
    """An uninitialised array of which `block_of` needs no copy. It must not change once it is a constant."""
    nbytes = math.prod(shape) * np.dtype(dtype).itemsize
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
