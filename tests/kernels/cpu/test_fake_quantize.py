"""FakeQuantize: exact, halves, NaN and infinities included."""

import numpy as np
import pytest

from tests.kernels.cpu.every import outputs, sample
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY

EDGES = [*np.arange(-4.5, 4.5) / 4, np.nan, np.inf, -np.inf, 1e30, -1e30, -0.0, 0, 31.875, 32, 33, 0.1]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("zero, qmin, qmax", [(None, -128, 127), (np.uint8(200), 0, 255), (np.int8([-5]), -128, 127)])
@pytest.mark.parametrize("shape", [(2, 19, 5, 7), (3000,), (), (1, 3, 0)], ids=str)
def test_exact(shape, zero, qmin, qmax, name):
    op, x = REGISTRY["FakeQuantize"](qmin=qmin, qmax=qmax), sample(shape) * 5
    if x.size > 20:
        x.reshape(-1)[:20] = EDGES
    scale = np.float32(0.25).reshape(np.shape(zero) if zero is not None else ())
    arrays = [x, scale, None if zero is None else np.asarray(zero)]
    offered = list(outputs(op, arrays, name, constants=[1, 2]))
    assert offered
    for _, y in offered:
        np.testing.assert_array_equal(y, op.reference(*arrays)[0])


def test_a_scale_for_each_channel_has_no_kernel():
    arrays = [sample((2, 3, 5)), np.float32([0.1, 0.2, 0.3])]
    assert not list(outputs(REGISTRY["FakeQuantize"](), arrays, "portable", constants=[1]))
