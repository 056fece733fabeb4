"""ScaleShift in both layouts against its reference."""

import numpy as np
import pytest

from tests.kernels.cpu.every import outputs, sample
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY, Activation

SHAPES = [(2, 19, 5, 7), (1, 16, 40, 53), (3, 1, 1, 1), (2, 37, 11), (3, 5), (1, 7, 2, 3, 5), (2, 3, 0, 4)]
ACTIVATIONS = [None, Activation("clamp", 0.0, 6.0), Activation("sigmoid")]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_against_reference(shape, activation, name):
    op = REGISTRY["ScaleShift"](activation=activation)
    arrays = [sample(shape), sample(shape[1:2], 1), sample(shape[1:2], 2)]
    layouts = set()
    for choice, y in outputs(op, arrays, name, constants=[1, 2]):
        np.testing.assert_allclose(y, op.reference(*arrays)[0], rtol=4e-7, atol=4e-7)
        layouts.add(choice.output)
    assert layouts == ({"plain", "blocked"} if len(shape) in (3, 4) else {"plain"})


def test_a_nan_stays():
    x = sample((1, 5, 3, 3))
    x[0, 2, 1, 1] = np.nan
    op = REGISTRY["ScaleShift"](activation=Activation("clamp", 0.0, 6.0))
    arrays = [x, np.ones(5, np.float32), np.zeros(5, np.float32)]
    for _, y in outputs(op, arrays, "portable", constants=[1, 2]):
        assert np.array_equal(np.isnan(y), np.isnan(x))
