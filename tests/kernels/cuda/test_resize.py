"""Images made larger and smaller on CUDA kernels, by every rule for coordinates."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.cases.resize import COORDINATES, NEAREST, OTHERS, SCALES, inputs
from tests.kernels.cuda.harness import algorithms, case, device, everywhere, plan, run
from tests.kernels.cuda.touched import check_ranges
from tests.numerics import EXACT, ROUNDING, assert_close
from tinycnn.ops import REGISTRY
from tinycnn.ops.op import Op


def sample(shape: Sequence[int]) -> np.ndarray:
    return np.random.default_rng([0, *shape]).standard_normal(shape, np.float32)


def check(op: Op, arrays: list[np.ndarray | None], place: str) -> None:
    assert arrays[0] is not None
    scale = op.reference(np.abs(arrays[0]), *arrays[1:])[0]
    [y] = run(case(op, arrays, (2, 3)), place)
    assert_close(y, op.reference(*arrays)[0], ROUNDING(8) if getattr(op, "mode", "") == "linear" else EXACT, scale)


@everywhere
@pytest.mark.parametrize("nearest_mode", NEAREST)
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_nearest_is_exact(coordinates: str, nearest_mode: str, place: str) -> None:
    op = REGISTRY["Resize"](coordinate_transformation_mode=coordinates, nearest_mode=nearest_mode)
    check(op, inputs(sample((2, 3, 5, 7)), sizes=(2, 3, 13, 4)), place)


@everywhere
@pytest.mark.parametrize("exclude", [0, 1])
@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("size", [(2, 3, 13, 4), (2, 3, 1, 21)], ids=str)
def test_linear_rounds_a_few_times(coordinates: str, exclude: int, size: tuple[int, ...], place: str) -> None:
    op = REGISTRY["Resize"](mode="linear", coordinate_transformation_mode=coordinates, exclude_outside=exclude)
    check(op, inputs(sample((2, 3, 5, 7)), sizes=size), place)


@everywhere
@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("shape, scales", SCALES, ids=str)
def test_scales(mode: str, shape: tuple[int, ...], scales: tuple[float, ...], place: str) -> None:
    op = REGISTRY["Resize"](mode=mode, coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    check(op, inputs(sample(shape), scales=scales), place)


@pytest.mark.gpu
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_large(mode: str) -> None:
    check(REGISTRY["Resize"](mode=mode), inputs(sample((3, 85, 37, 41)), scales=(1, 1, 2, 3.3)), "gpu")


@pytest.mark.parametrize("attributes, sizes", OTHERS, ids=str)
def test_left_to_the_reference(attributes: Any, sizes: tuple[int, ...]) -> None:
    c = case(REGISTRY["Resize"](**attributes), inputs(sample((1, 3, 4, 5)), sizes=sizes), (2, 3))
    assert not algorithms(c, device("simulator"))


@pytest.mark.cudasim
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_rows_touch_what_they_declare(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    c = case(REGISTRY["Resize"](mode=mode), inputs(sample((2, 3, 4, 5)), scales=(1, 1, 2, 2)), (2, 3))
    assert check_ranges(plan(c), monkeypatch) > 5
