"""Softmax and LogSoftmax along every axis."""

import numpy as np
import pytest

from tests.kernels.cpu.every import outputs, sample
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY

SHAPES = [(1, 10), (3, 1000), (2, 17, 5, 33), (1, 4, 16), (1, 1), (5,), (2, 0, 3), (0, 3), (2, 65, 1)]
CASES = [(shape, axis) for shape in SHAPES for axis in range(-1, len(shape) - 1)]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("shape, axis", CASES, ids=str)
def test_against_reference(shape, axis, kind, name):
    op, x = REGISTRY[kind](axis=axis), 8 * sample(shape)
    spread = 2.0**-24 * (np.abs(x).max(initial=0) * 2 + 8)  # x - max is rounded before the exponential
    for _, y in outputs(op, [x], name):
        expected = op.reference(x)[0]
        assert (np.abs(y - expected) <= spread * (1 if kind == "LogSoftmax" else expected) + 1e-38).all()


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [1, 2])
def test_special_values(axis, kind, name):
    x = sample((6, 21, 21))
    x[0, 3, 3], x[1, 4, 4], x[2, 5, 5], x[3], x[4] = np.nan, -np.inf, np.inf, -np.inf, 1e30
    op = REGISTRY[kind](axis=axis)
    for _, y in outputs(op, [x], name):
        np.testing.assert_allclose(y, op.reference(x)[0], rtol=2e-6, atol=2e-6)
