"""Functions of one tensor: sizes around every chunk and vector, both layouts."""

import numpy as np
import pytest

from tests.kernels.cpu.every import outputs, sample
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY

SHAPES = [(), (0,), (1,), (1023,), (3, 1025), (2, 19, 5, 7), (1, 37, 11), (1, 3, 0, 2), (2, 1, 33, 31), (1, 2, 1, 1, 3)]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind, attributes", [("Relu", {}), ("LeakyRelu", {"alpha": 0.3}), ("Tanh", {})])
def test_elementwise(kind, attributes, shape, name):
    op, x = REGISTRY[kind](**attributes), sample(shape)
    layouts = set()
    for choice, y in outputs(op, [x], name):
        np.testing.assert_allclose(y, op.reference(x)[0], rtol=5e-7)
        layouts.add(choice.output)
    assert layouts == ({"plain", "blocked"} if len(shape) in (3, 4) else {"plain"})


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("low, high", [(-0.5, 0.25), (None, 0.5), (0.0, None), (2.0, 1.0)])
def test_bounds_of_clip_are_constants(low, high, name):
    x = sample((2, 5, 9, 3))
    x[0, 0, 0] = [np.nan, np.inf, -np.inf]
    bounds = [None if b is None else np.float32(b).reshape(()) for b in (low, high)]
    for _, y in outputs(REGISTRY["Clip"](), [x, *bounds], name, constants=[1, 2]):
        np.testing.assert_array_equal(y, REGISTRY["Clip"]().reference(x, *bounds)[0])
    if low is not None:
        assert not list(outputs(REGISTRY["Clip"](), [x, *bounds], name, constants=[2]))


def test_only_f32_has_kernels():
    assert not list(outputs(REGISTRY["Relu"](), [np.float64([1.0, -1.0])], "portable"))
