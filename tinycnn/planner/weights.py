"""Packed constants: each made once per session and shared by all its plans."""

import threading
from collections.abc import Callable

import numpy as np

from tinycnn.kernels.lowering import OVERREAD

ALIGNMENT = 64


def aligned(nbytes: int) -> np.ndarray:
    """Uninitialised bytes that start at a multiple of ALIGNMENT."""
    raw = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + nbytes]


class WeightStore:
    """Blocks by key. A block is followed by OVERREAD zero bytes. Safe to use from many threads."""

    def __init__(self) -> None:
        self.blocks: dict[tuple[object, ...], np.ndarray] = {}
        self.lock = threading.Lock()

    def get(self, key: tuple[object, ...], make: Callable[[], np.ndarray]) -> np.ndarray:
        with self.lock:
            if key not in self.blocks:
                array = np.ascontiguousarray(make())
                block = aligned(array.nbytes + OVERREAD)
                block[: array.nbytes] = array.reshape(-1).view(np.uint8)
                block[array.nbytes :] = 0
                self.blocks[key] = block
            return self.blocks[key]
