"""Reorders against NumPy's own, at sizes around every edge of a square."""

import numpy as np
import pytest

from tests.kernels.cpu.every import available
from tests.kernels.cpu.harness import ArrayEmitter, Buffer
from tinycnn.kernels.cpu import isa, reorder
from tinycnn.kernels.lowering import blocked_size, from_blocked, to_blocked

SHAPES = [
    (1, 1, 1, 1),
    (2, 3, 5, 7),
    (1, 16, 4, 4),
    (3, 17, 1, 1),
    (1, 37, 23),
    (2, 33, 16, 3),
    (1, 64, 7, 7),
    (5, 32, 1),
]


def run(kernel, values, x, size, threads):
    source, target = Buffer(x.nbytes), Buffer(4 * size)
    source.f32()[:] = x.reshape(-1)
    e = ArrayEmitter([source], [target], threads)
    e.row(kernel, x=e.input(0), y=e.output(), **values)
    return target.f32().copy()


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_reorders_move_every_element(name, shape, threads):
    lanes = available(name).lanes
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    expected = to_blocked(x, lanes)
    blocked = run(*reorder.reorder_row("blocked", shape, name), x, blocked_size(shape, lanes), threads)
    np.testing.assert_array_equal(blocked, expected.reshape(-1))
    plain = run(*reorder.reorder_row("plain", shape, name), expected, x.size, threads)
    np.testing.assert_array_equal(plain.reshape(shape), x)
    np.testing.assert_array_equal(plain.reshape(shape), from_blocked(expected, shape, lanes))


def test_cost_grows_with_size():
    assert 0 < reorder.cost_s((1, 3, 8, 8), "avx2") < reorder.cost_s((1, 64, 56, 56), "avx2")
