"""Blocks that kernels read are aligned, have bytes behind them, and are copies only where they must be."""

import itertools
import weakref

import numpy as np
import pytest

from tinycnn.ir.memory import (
    ALIGNMENT,
    HUGE_PAGE,
    OVERREAD,
    SLAB_BYTES,
    Slab,
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


def test_arrays_of_a_slab_are_blocks_beside_each_other() -> None:
    with Slab().provide():
        arrays = [readable(shape) for shape in ((), (0,), (3,), (1000,), (7, 5, 3), (17,))]
    for i, array in enumerate(arrays):
        array[...] = i
    for i, array in enumerate(arrays):
        block = block_of(array)
        assert (array == i).all()
        assert block.ctypes.data == array.ctypes.data and block.ctypes.data % ALIGNMENT == 0
        assert block.nbytes == array.nbytes + OVERREAD
        assert block.base is arrays[0].base
    for one, other in itertools.pairwise(arrays):
        assert one.ctypes.data + one.nbytes <= other.ctypes.data < one.ctypes.data + one.nbytes + ALIGNMENT


def test_the_last_bytes_of_a_slab_have_bytes_behind_them() -> None:
    with Slab().provide():
        small, rest = readable((16,)), readable((SLAB_BYTES - 64 - OVERREAD,), np.uint8)
        beyond = readable((1,))
    assert rest.base is small.base is not beyond.base
    assert block_of(rest).nbytes == rest.nbytes + OVERREAD and block_of(beyond).nbytes == 4 + OVERREAD


def test_only_what_is_made_inside_lies_in_a_slab() -> None:
    before = readable((4,))
    with Slab().provide():
        outer = readable((4,))
        with Slab().provide():
            inner = readable((4,))
        again = readable((4,))
    assert again.base is outer.base
    assert len({id(array.base) for array in (before, outer, inner, readable((4,)))}) == 4


def test_a_slab_is_gone_with_its_last_array() -> None:
    slab = Slab()
    with slab.provide():
        one, other = readable((4,)), readable((4,))
    memory = weakref.ref(one.base)
    del slab, one
    assert memory() is not None
    del other
    assert memory() is None
