"""Images made larger and smaller by every rule for coordinates, in both layouts."""

import numpy as np
import pytest

from tests.cases.resize import COORDINATES, NEAREST, OTHERS, SCALES, inputs
from tests.kernels.cpu.every import outputs, sample
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("nearest_mode", NEAREST)
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_nearest_is_exact(name, coordinates, nearest_mode):
    op = REGISTRY["Resize"](coordinate_transformation_mode=coordinates, nearest_mode=nearest_mode)
    arrays = inputs(sample((2, 19, 5, 7)), sizes=(2, 19, 13, 4))
    for _, y in outputs(op, arrays, name, (2, 3)):
        assert_close(y, op.reference(*arrays)[0])


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("exclude", [0, 1])
@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("size", [(2, 19, 13, 4), (2, 19, 1, 21)], ids=str)
def test_linear_rounds_a_few_times(name, coordinates, exclude, size):
    op = REGISTRY["Resize"](mode="linear", coordinate_transformation_mode=coordinates, exclude_outside=exclude)
    arrays = inputs(sample((2, 19, 5, 7)), sizes=size)
    scale = op.reference(np.abs(arrays[0]), *arrays[1:])[0]
    for _, y in outputs(op, arrays, name, (2, 3)):
        assert_close(y, op.reference(*arrays)[0], ROUNDING(8), scale)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("shape, scales", SCALES, ids=str)
def test_scales(name, mode, shape, scales):
    op = REGISTRY["Resize"](mode=mode, coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    arrays = inputs(sample(shape), scales=scales)
    scale = op.reference(np.abs(arrays[0]), *arrays[1:])[0]
    layouts = []
    for choice, y in outputs(op, arrays, name, (2, 3)):
        assert_close(y, op.reference(*arrays)[0], ROUNDING(8 if mode == "linear" else 0), scale)
        layouts.append(choice.output)
    assert layouts == ["blocked", "plain"]


@pytest.mark.parametrize("attributes, sizes", OTHERS, ids=str)
def test_left_to_the_reference(attributes, sizes):
    arrays = inputs(sample((1, 3, 4, 5)), sizes=sizes)
    assert not list(outputs(REGISTRY["Resize"](**attributes), arrays, "portable", (2, 3)))
