"""Reductions over every set of axes."""

import numpy as np
import pytest

from tests.cases.reduce import CASES, magnitude
from tests.kernels.cpu.every import outputs, sample
from tinycnn.kernels.cpu import isa
from tinycnn.kernels.reduction import REDUCTIONS
from tinycnn.ops import REGISTRY


def check(op, arrays, name):
    expected, allowed = op.reference(*arrays)[0], 2.0**-24 * 16 * magnitude(op, arrays)
    layouts = set()
    for choice, y in outputs(op, arrays, name, constants=[1]):
        assert y.shape == expected.shape
        assert (np.abs(y - expected) <= allowed).all(), choice.algorithm
        layouts.add((choice.inputs[0], choice.output))
    return layouts


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("shape, axes", CASES, ids=str)
def test_mean_over_axes(shape, axes, name):
    axes = None if axes is None else np.int64(axes)
    assert check(REGISTRY["ReduceMean"](keepdims=0), [sample(shape), axes], name)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("axes", [(1,), (2, 3), (0, 2), (3,)], ids=str)
@pytest.mark.parametrize("kind", REDUCTIONS)
def test_folds(kind, axes, name):
    x = np.abs(sample((3, 21, 5, 9))) if kind == "ReduceLogSum" else sample((3, 21, 5, 9))
    assert check(REGISTRY[kind](), [x, np.int64(axes)], name)


@pytest.mark.parametrize("keepdims, output", [(1, "blocked"), (0, "plain")])
@pytest.mark.parametrize("shape", [(1, 19, 5, 7), (2, 19, 5, 7), (2, 32, 3, 3)], ids=str)
def test_pixels_are_folded_where_they_lie_in_blocks(shape, keepdims, output):
    layouts = check(REGISTRY["ReduceMean"](keepdims=keepdims), [sample(shape), np.int64([2, 3])], "portable")
    assert layouts == {("plain", "plain"), ("blocked", output)}


@pytest.mark.parametrize("noop", [0, 1])
@pytest.mark.parametrize("axes", [None, np.zeros(0, np.int64)], ids=["absent", "empty"])
def test_no_axes(axes, noop):
    assert check(REGISTRY["ReduceL1"](noop_with_empty_axes=noop), [sample((2, 5, 7)), axes], "portable")


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("kind", ["ReduceMax", "ReduceMin", "ReduceSum"])
@pytest.mark.parametrize("axes", [(2,), (1,)])
def test_a_nan_anywhere_makes_a_nan(axes, kind, name):
    x = sample((70, 70, 70))
    for i in range(70):
        x[i, i, 69 - i] = np.nan
    op = REGISTRY[kind]()
    for _, y in outputs(op, [x, np.int64(axes)], name, constants=[1]):
        assert np.array_equal(np.isnan(y), np.isnan(op.reference(x, np.int64(axes))[0]))
