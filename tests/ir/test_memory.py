"""Blocks that kernels read are aligned, have bytes behind them, and are copies only where they must be."""

import numpy as np
import pytest

from tinycnn.ir.memory import ALIGNMENT, OVERREAD, block_of, readable


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
