"""Packed constants: each made once and shared by all plans of a session that hold it."""

import threading
import weakref
from collections.abc import Callable, Sequence

import numpy as np

from tinycnn.kernels.lowering import OVERREAD
from tinycnn.stages import stage

ALIGNMENT = 64


def aligned(nbytes: int) -> np.ndarray:
    """Uninitialised bytes that start at a multiple of ALIGNMENT."""
    raw = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + nbytes]


class WeightStore:
    """Blocks by what they were made of, for as long as a plan holds them. A block is followed by OVERREAD zero bytes.
    Safe to use from many threads."""

    def __init__(self) -> None:
        self.blocks: weakref.WeakValueDictionary[tuple[object, ...], np.ndarray] = weakref.WeakValueDictionary()
        self.lock = threading.Lock()

    @stage("pack")
    def get(
        self, key: tuple[object, ...], constants: Sequence[np.ndarray], make: Callable[[], np.ndarray]
    ) -> np.ndarray:
        """The block that `make` returns, which follows from the key and these very arrays: a constant that comes of
        the input's shape has the same name, but another value, in another plan."""
        key = (*key, *map(id, constants))
        with self.lock:
            block = self.blocks.get(key)
            if block is None:
                array = np.ascontiguousarray(make())
                block = aligned(array.nbytes + OVERREAD)
                block[: array.nbytes] = array.reshape(-1).view(np.uint8)
                block[array.nbytes :] = 0
                # Keeps the constants, so that no other array takes over their ids while the block lives.
                weakref.finalize(block, tuple, constants).atexit = False
                self.blocks[key] = block
            return block
