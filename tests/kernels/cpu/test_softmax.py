"""Softmax and LogSoftmax along every axis."""

import numpy as np
import pytest

from tests.cases.softmax import CASES, special, tolerance
from tests.kernels.cpu.every import outputs, sample
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("shape, axis", CASES, ids=str)
def test_against_reference(shape, axis, kind, name):
    op, x = REGISTRY[kind](axis=axis), 8 * sample(shape)
    for _, y in outputs(op, [x], name):
        expected = op.reference(x)[0]
        assert (np.abs(y - expected) <= tolerance(kind, x, expected)).all()


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [1, 2])
def test_special_values(axis, kind, name):
    x, op = special(np.random.default_rng(0)), REGISTRY[kind](axis=axis)
    for _, y in outputs(op, [x], name):
        np.testing.assert_allclose(y, op.reference(x)[0], rtol=2e-6, atol=2e-6)
