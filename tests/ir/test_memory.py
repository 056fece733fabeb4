"""Blocks that kernels read are aligned, have bytes behind them, and are copies only where they must be."""

import collections
import itertools
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tinycnn.ir.memory import (
    ALIGNMENT,
    CHUNK_BYTES,
    HUGE_PAGE,
    OVERREAD,
    Pool,
    block_of,
    in_huge_pages,
    readable,
)


@pytest.mark.parametrize("shape", [(), (0,), (3,), (4, 5, 6)], ids=str)
def test_an_array_for_kernels_is_its_own_block(shape: tuple[int, ...]) -> None:
    array = readable(shape)
    array[...] = 2
    array.flags.writeable = False
    block = block_of(array.reshape(-1))
    assert block.ctypes.data == array.ctypes.data and block.ctypes.data % ALIGNMENT == 0
    assert block.nbytes == array.nbytes + OVERREAD
    assert (block[: array.nbytes].view(np.float32) == 2).all()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32),
        readable((6, 4))[:, 1],
        readable((6, 4))[1:],
        np.zeros(2 * OVERREAD, np.uint8)[64:128].view(np.float32),
    ],
    ids=["of another owner", "strided", "misaligned", "of bytes that may change"],
)
def test_any_other_is_copied(array: np.ndarray) -> None:
    array[...] = np.arange(array.size).reshape(array.shape)
    block = block_of(array)
    assert not np.shares_memory(block, array)
    assert block.ctypes.data % ALIGNMENT == 0
    np.testing.assert_array_equal(block[:-OVERREAD].view(np.float32), array.ravel())


@pytest.mark.parametrize("nbytes", [0, 1, HUGE_PAGE + 3, 3 * HUGE_PAGE])
def test_huge_pages_begin_where_one_can(nbytes: int) -> None:
    memory = in_huge_pages(nbytes)
    assert memory.nbytes == nbytes and memory.ctypes.data % HUGE_PAGE == 0


def test_arrays_of_a_pool_are_blocks_beside_each_other() -> None:
    with Pool().provide() as pool:
        arrays = [readable(shape) for shape in ((), (0,), (3,), (1000,), (7, 5, 3), (17,))]
    for i, array in enumerate(arrays):
        array[...] = i
    for i, array in enumerate(arrays):
        block = block_of(array)
        assert (array == i).all()
        assert block.ctypes.data == array.ctypes.data and block.ctypes.data % ALIGNMENT == 0
        assert block.nbytes == array.nbytes + OVERREAD
    for one, other in itertools.pairwise(arrays):
        assert one.ctypes.data + one.nbytes <= other.ctypes.data <= one.ctypes.data + one.nbytes + ALIGNMENT
    assert len(pool.chunks) == 1


def test_the_last_bytes_of_a_chunk_have_bytes_behind_them() -> None:
    with Pool().provide() as pool:
        small, rest = readable((16,)), readable((CHUNK_BYTES - 64,), np.uint8)
        assert len(pool.chunks) == 1
        beyond = readable((1,))
    assert len(pool.chunks) == 2
    chunk = pool.chunks[0].memory
    assert small.ctypes.data == chunk.ctypes.data
    assert rest.ctypes.data + rest.nbytes + OVERREAD == chunk.ctypes.data + chunk.nbytes
    assert block_of(rest).nbytes == rest.nbytes + OVERREAD and block_of(beyond).nbytes == 4 + OVERREAD


def test_only_what_is_made_inside_lies_in_a_pool() -> None:
    before = readable((4,))
    with Pool().provide() as pool:
        outer = readable((4,))
        with Pool().provide() as within:
            inner = readable((4,))
        again = readable((4,))

    def places(array: np.ndarray) -> list[bool]:
        return [np.shares_memory(array, chunk.memory) for p in (pool, within) for chunk in p.chunks]

    found = [places(array) for array in (before, outer, inner, again, readable((4,)))]
    assert found == [[False, False], [True, False], [False, True], [True, False], [False, False]]


def test_no_array_takes_the_place_of_one_that_lives() -> None:
    rng, alive = np.random.default_rng(0), list[tuple[int, np.ndarray]]()
    with Pool().provide() as pool:
        for i in range(2000):
            array = readable((int(rng.integers(0, 300_000)),), np.uint8)
            array[...] = i % 251
            # Of some, only a view is left.
            alive.append((i % 251, array[: array.size // 2] if i % 3 else array))
            while sum(a.nbytes for _, a in alive) > 10 << 20:
                alive.pop(int(rng.integers(len(alive))))
    assert all((array == value).all() for value, array in alive)
    assert len(pool.chunks) == 1


def test_threads_share_a_pool() -> None:
    pool, barrier = Pool(), threading.Barrier(4)

    def fill(number: int) -> None:
        rng, kept = np.random.default_rng(number), collections.deque[np.ndarray](maxlen=20)
        barrier.wait()
        for _ in range(500):
            with pool.provide():
                kept.append(readable((int(rng.integers(1, 5000)),)))
            kept[-1][...] = number
            assert all((array == number).all() for array in kept)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(fill, range(4))) == [None] * 4


def test_a_chunk_is_gone_with_its_last_array_and_the_pool() -> None:
    with Pool().provide() as pool:
        one, other = readable((4,)), readable((4,))
    memory = weakref.ref(pool.chunks[0].memory)
    pool.trim()
    assert len(pool.chunks) == 1
    del one
    view = other[1:]
    del pool, other
    assert memory() is not None
    del view
    assert memory() is None


def test_trimming_gives_back_what_nobody_holds() -> None:
    with Pool().provide() as pool:
        one, other = readable((CHUNK_BYTES,), np.uint8), readable((CHUNK_BYTES,), np.uint8)
        other[:] = 1
        del one
        pool.trim()
        assert len(pool.chunks) == 1
        again = readable((4,))
        assert len(pool.chunks) == 2 and (other == 1).all()
        del other, again
        pool.trim()
        assert not pool.chunks
