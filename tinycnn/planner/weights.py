"""Packed constants: each made once and shared by all plans of a session that hold it."""

import threading
import weakref
from collections.abc import Callable, Sequence

import numpy as np

from tinycnn.ir.memory import Pool, block_of
from tinycnn.stages import stage

Sources = list[weakref.ref[np.ndarray]]


class WeightStore:
    """Blocks by what they were made of, for as long as a plan holds them; it keeps no constants. The last OVERREAD
    bytes of each block are not its own. Safe to use from many threads."""

    def __init__(self, pool: Pool | None = None) -> None:
        self.blocks: weakref.WeakValueDictionary[tuple[object, ...], np.ndarray] = weakref.WeakValueDictionary()
        self.sources: dict[tuple[object, ...], Sources] = {}
        self.pool = pool or Pool()
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
            sources = self.sources.get(key)
            # Where a constant is gone, another array may have taken over its id.
            if block is None or sources is None or any(source() is None for source in sources):
                with self.pool.provide():
                    block = block_of(make())
                sources = self.sources[key] = [weakref.ref(constant) for constant in constants]
                weakref.finalize(block, self.forget, key, sources).atexit = False
                self.blocks[key] = block
            return block

    def forget(self, key: tuple[object, ...], sources: Sources) -> None:
        """When a block is gone, unless another has taken its place since."""
        if self.sources.get(key) is sources:
            del self.sources[key]
