"""Memory that kernels read constants from: aligned, followed by bytes that they may read as well, in large pages."""

import collections
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

CHUNK_BYTES = 32 << 20
"""Of the first chunk of a pool; only what is touched takes memory."""

owners: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()


def aligned(nbytes: int, alignment: int = ALIGNMENT) -> np.ndarray:
    """Uninitialised bytes that start at a multiple of the alignment."""
    owner = np.empty(nbytes + alignment, np.uint8)
    start = -owner.ctypes.data % alignment
    return owner[start : start + nbytes]


def in_huge_pages(nbytes: int) -> np.ndarray:
    """Uninitialised bytes, in huge pages where the system has them."""
    return aligned(max(nbytes, ASKS_FOR_HUGE_PAGES), HUGE_PAGE)[:nbytes]


def rounded(nbytes: int) -> int:
    """Bytes of a piece, none of which are another's."""
    return -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT


class Chunk:
    """Memory in huge pages, of which pieces are taken and returned."""

    def __init__(self, nbytes: int) -> None:
        self.memory = in_huge_pages(nbytes + OVERREAD)
        self.nbytes = nbytes
        self.free = [(0, nbytes)]
        # Whoever lets go of a piece may do so at any time, in the midst of `take`, too.
        self.returned: collections.deque[tuple[int, int]] = collections.deque()

    def take(self, nbytes: int) -> np.ndarray | None:
        """Bytes [nbytes + OVERREAD] from the first gap that is large enough; not safe to use from many threads."""
        self.gather()
        size = rounded(nbytes)
        for i, (start, stop) in enumerate(self.free):
            if stop - start >= size:
                self.free[i : i + 1] = [(start + size, stop)] if stop - start > size else []
                return np.asarray(Piece(self, start, start + size, nbytes + OVERREAD))
        return None

    def gather(self) -> None:
        """Joins what was returned to the gaps beside it."""
        if not self.returned:
            return
        gaps = self.free + [self.returned.popleft() for _ in range(len(self.returned))]
        self.free = []
        for start, stop in sorted(gaps):
            if self.free and self.free[-1][1] == start:
                start = self.free.pop()[0]
            self.free.append((start, stop))

    @property
    def is_free(self) -> bool:
        self.gather()
        return self.free == [(0, self.nbytes)]


class Piece:
    """What NumPy makes an array of, and lets go when that array and all views of it are gone."""

    def __init__(self, chunk: Chunk, start: int, stop: int, nbytes: int) -> None:
        self.chunk, self.start, self.stop, self.nbytes = chunk, start, stop, nbytes

    @property
    def __array_interface__(self) -> dict[str, Any]:
        address = self.chunk.memory.ctypes.data + self.start
        return {"version": 3, "shape": (self.nbytes,), "typestr": "|u1", "data": (address, False)}

    def __del__(self) -> None:
        self.chunk.returned.append((self.start, self.stop))


class Pool:
    """Memory for arrays of which some follow upon others, as a network's weights do while it is loaded: each takes the
    place of those that are gone, since memory that the system gives is slow at first. In huge pages, where a read of
    many small arrays misses the TLB less often. It is the system's again when all of a chunk's arrays are gone, and
    nobody holds the pool. Safe to use from many threads."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.lock = threading.Lock()

    def take(self, nbytes: int) -> np.ndarray:
        """Uninitialised aligned bytes, and OVERREAD behind them, which are not theirs alone."""
        with self.lock:
            piece = next((p for chunk in self.chunks if (p := chunk.take(nbytes)) is not None), None)
            if piece is None:
                so_far = sum(chunk.nbytes for chunk in self.chunks)
                self.chunks.append(Chunk(max(rounded(nbytes), so_far, CHUNK_BYTES)))
                piece = self.chunks[-1].take(nbytes)
            assert piece is not None
            return piece

    def trim(self) -> None:
        """Gives the system what nobody holds a piece of."""
        with self.lock:
            self.chunks = [chunk for chunk in self.chunks if not chunk.is_free]

    @contextlib.contextmanager
    def provide(self) -> Iterator["Pool"]:
        """Inside, what `readable` makes in this thread lies here."""
        outer, current.pool = current.pool, self
        try:
            yield self
        finally:
            current.pool = outer


class Current(threading.local):
    pool: Pool | None = None


current = Current()


def readable(shape: Sequence[int], dtype: Any = np.float32) -> np.ndarray:
    """An uninitialised array of which `block_of` needs no copy. It must not change once it is a constant."""
    nbytes = math.prod(shape) * np.dtype(dtype).itemsize
    if current.pool:
        block = current.pool.take(nbytes)
    else:
        block = aligned(nbytes + OVERREAD)
        block[nbytes:] = 0
    # A piece of a pool is an array with an owner that is none.
    owner = block.base if isinstance(block.base, np.ndarray) else block
    owners[id(owner)] = owner
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
