"""Images made larger and smaller by every rule for coordinates, in both layouts."""

import numpy as np
import pytest

from tests.kernels.cpu.harness import choices, execute, request
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY

MODES = [
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
]
NEAREST = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


def offered(op, x, name, scales=None, sizes=None):
    target = isa.ISAS[name]
    if not target.needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    arrays = [
        x,
        None,
        None if scales is None else np.array(scales, np.float32),
        None if sizes is None else np.array(sizes, np.int64),
    ]
    return request(op, arrays, {2, 3}, "plain", target, 1), arrays


def results(r, arrays, count=2):
    found = choices(r)
    assert len(found) == count
    for choice in found:
        [y] = execute(r, choice, arrays, 1)
        for threads in (2, 3):
            np.testing.assert_array_equal(execute(r, choice, arrays, threads)[0], y)
        yield y


def sample(*shape):
    return np.random.default_rng(0).standard_normal(shape, np.float32)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("nearest_mode", NEAREST)
@pytest.mark.parametrize("coordinates", MODES)
def test_nearest_is_exact(name, coordinates, nearest_mode):
    op = REGISTRY["Resize"](coordinate_transformation_mode=coordinates, nearest_mode=nearest_mode)
    r, arrays = offered(op, sample(2, 19, 5, 7), name, sizes=(2, 19, 13, 4))
    for y in results(r, arrays):
        np.testing.assert_array_equal(y, op.reference(*arrays)[0])


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("exclude", [0, 1])
@pytest.mark.parametrize("coordinates", MODES)
@pytest.mark.parametrize("size", [(2, 19, 13, 4), (2, 19, 1, 21)], ids=str)
def test_linear_rounds_a_few_times(name, coordinates, exclude, size):
    op = REGISTRY["Resize"](mode="linear", coordinate_transformation_mode=coordinates, exclude_outside=exclude)
    x = sample(2, 19, 5, 7)
    r, arrays = offered(op, x, name, sizes=size)
    bound = 8 * 2**-24 * op.reference(np.abs(x), *arrays[1:])[0]
    for y in results(r, arrays):
        assert (np.abs(y - op.reference(*arrays)[0]) <= bound).all()


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize(
    "shape, scales", [((1, 3, 8, 9), (1, 1, 2, 2)), ((2, 5, 11), (1, 1, 2.5)), ((1, 17, 1, 1), (1, 1, 3, 4))], ids=str
)
def test_scales(name, mode, shape, scales):
    op = REGISTRY["Resize"](mode=mode, coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    r, arrays = offered(op, sample(*shape), name, scales=scales)
    for y in results(r, arrays):
        np.testing.assert_allclose(y, op.reference(*arrays)[0], rtol=0, atol=1e-6 if mode == "linear" else 0)


@pytest.mark.parametrize(
    "attributes, sizes",
    [({"mode": "cubic"}, (1, 3, 8, 9)), ({}, (1, 6, 4, 5)), ({"mode": "linear"}, (2, 3, 4, 5))],
    ids=str,
)
def test_left_to_the_reference(attributes, sizes):
    r, arrays = offered(REGISTRY["Resize"](**attributes), sample(1, 3, 4, 5), "portable", sizes=sizes)
    assert not list(results(r, arrays, 0))
