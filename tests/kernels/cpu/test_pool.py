"""Windows over every kind of edge, in both layouts, against the operators' references."""

import numpy as np
import pytest

from tests.cases.pool import GLOBALS, WINDOWS
from tests.kernels.cpu.every import outputs, sample
from tests.kernels.cpu.harness import choices, request
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("shape, attributes", WINDOWS, ids=str)
def test_max_is_exact(name, shape, attributes):
    x, op = sample(shape), REGISTRY["MaxPool"](**attributes)
    for _, y in outputs(op, [x], name):
        assert_close(y, op.reference(x)[0])


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("include", [0, 1])
@pytest.mark.parametrize("shape, attributes", WINDOWS, ids=str)
def test_average_rounds_once_a_tap(name, shape, attributes, include):
    x, op = sample(shape), REGISTRY["AveragePool"](**attributes, count_include_pad=include)
    level, scale = ROUNDING(np.prod(attributes["kernel_shape"]) + 2), op.reference(np.abs(x))[0]
    for _, y in outputs(op, [x], name):
        assert_close(y, op.reference(x)[0], level, scale)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("place", [(0, 0), (3, 5), (6, 8)])
def test_max_of_a_nan_is_a_nan(name, place):
    x, op = sample((1, 18, 7, 9)), REGISTRY["MaxPool"](kernel_shape=(3, 3), pads=(1, 1, 1, 1))
    x[(0, 17, *place)] = np.nan
    x[0, 3] = -np.inf
    for _, y in outputs(op, [x], name):
        assert_close(y, op.reference(x)[0])


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("shape", GLOBALS, ids=str)
def test_whole_images(name, shape):
    x = sample(shape)
    op = REGISTRY["GlobalMaxPool"]()
    for _, y in outputs(op, [x], name):
        assert_close(y, op.reference(x)[0])
    op = REGISTRY["GlobalAveragePool"]()
    level, scale = ROUNDING(np.prod(shape[2:]) / 4 + 8), op.reference(np.abs(x))[0]
    for _, y in outputs(op, [x], name):
        assert_close(y, op.reference(x)[0], level, scale)
    x[0, 0, ..., -1] = np.nan
    op = REGISTRY["GlobalMaxPool"]()
    for _, y in outputs(op, [x], name):
        assert_close(y, op.reference(x)[0])


def test_no_kernel_for_indices():
    x, op = sample((1, 3, 6, 9)), REGISTRY["MaxPool"](kernel_shape=(2, 2))
    r = request(op, [x], [], "plain", isa.ISAS["portable"], 1)
    node = type(r.node)(op, r.node.inputs, ("y", "indices"), "node")
    assert not choices(type(r)(node, r.inputs, r.outputs * 2, r.values, r.layouts, r.target, 1))
