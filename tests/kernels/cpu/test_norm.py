"""Normalizations by the statistics of a row, and LRN, against their references."""

import numpy as np
import pytest

from tests.cases.norm import GROUPS, LAYERS, NEIGHBOURS, SHAPES
from tests.kernels.cpu.every import outputs, sample
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY


def check(op, arrays, name, constants=(1, 2)):
    offered = list(outputs(op, arrays, name, constants))
    assert offered
    for _, y in offered:
        np.testing.assert_allclose(y, op.reference(*arrays)[0], rtol=2e-5, atol=2e-5)
    return {choice.output for choice, _ in offered}


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_instance_normalization(shape, name):
    arrays = [sample(shape) * 3 + 5, sample(shape[1:2], 1), sample(shape[1:2], 2)]
    layouts = check(REGISTRY["InstanceNormalization"](epsilon=1e-3), arrays, name)
    assert layouts == ({"plain", "blocked"} if len(shape) in (3, 4) else {"plain"})


@pytest.mark.parametrize("name", isa.ISAS)
def test_a_mean_far_from_zero_and_millions_of_small_deviations_cost_no_accuracy(name):
    """Rows of half a million numbers around 2000, most of them near their mean and a few far from it."""
    rng = np.random.default_rng(5)
    x = 2000 + 0.5 * rng.standard_normal((1, 2, 512, 1001)).astype(np.float32)
    x[:, :, :3] += 400
    arrays = [x, sample((2,), 1), sample((2,), 2)]
    op = REGISTRY["InstanceNormalization"](epsilon=1e-5)
    (wanted,) = op.reference(*arrays)
    for _, y in outputs(op, arrays, name, (1, 2)):
        assert_close(y, wanted, ROUNDING(64), np.abs(wanted).max())


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("shape, groups", GROUPS)
def test_group_normalization(shape, groups, name):
    arrays = [sample(shape) * 3 + 5, sample(shape[1:2], 1), sample(shape[1:2], 2)]
    check(REGISTRY["GroupNormalization"](num_groups=groups, epsilon=1e-3), arrays, name)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("shape, axis, scale, bias", LAYERS)
def test_layer_normalization(shape, axis, scale, bias, name):
    arrays = [sample(shape), sample(scale, 1), None if bias is None else sample(bias, 2)]
    check(REGISTRY["LayerNormalization"](axis=axis), arrays, name)


def test_parameters_that_vary_between_rows_have_no_kernel():
    arrays = [sample((4, 4)), sample((4, 1)), None]
    assert not list(outputs(REGISTRY["LayerNormalization"](axis=-1), arrays, "portable", constants=[1]))


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize(("size", "beta"), [(1, 0.75), (2, 0.75), (3, 0.75), (5, 0.75), (8, 0.75), (5, 0.6), (4, 1.0)])
@pytest.mark.parametrize("shape", NEIGHBOURS, ids=str)
def test_lrn(shape, size, beta, name):
    op = REGISTRY["LRN"](size=size, alpha=0.02, beta=beta, bias=2.0)
    x = 10 * sample(shape)
    assert isa.ISAS[name].lanes >= 4
    for _, y in outputs(op, [x], name):
        np.testing.assert_allclose(y, op.reference(x)[0], rtol=2e-6)
    assert list(outputs(op, [x], name))
