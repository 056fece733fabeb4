"""ScaleShift on CUDA kernels against its float64 reference."""

import numpy as np
import pytest

from tests.kernels.cuda.harness import Case, case, everywhere, plan, run
from tests.kernels.cuda.touched import check_ranges
from tests.numerics import ROUNDING, assert_close
from tinycnn.ops import REGISTRY, Activation

SHAPES = [(2, 19, 5, 7), (1, 6, 4, 8), (3, 1, 1, 1), (2, 37, 11), (3, 5), (1, 7, 2, 3, 5), (2, 3, 0, 4)]
ACTIVATIONS = [None, Activation("clamp", 0.0, 6.0), Activation("sigmoid")]


def prepared(shape: tuple[int, ...], activation: Activation | None) -> tuple[Case, np.ndarray, np.ndarray]:
    """The case, its reference, and what rounding errors are measured in."""
    rng = np.random.default_rng(0)
    x, scale, shift = (rng.standard_normal(s, np.float32) for s in (shape, shape[1:2], shape[1:2]))
    op, bare = (REGISTRY["ScaleShift"](activation=a) for a in (activation, None))
    magnitude = bare.reference(np.abs(x), np.abs(scale), np.abs(shift))[0]
    return case(op, [x, scale, shift], [1, 2]), op.reference(x, scale, shift)[0], np.maximum(magnitude, 1)


@everywhere
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_against_reference(shape: tuple[int, ...], activation: Activation | None, place: str) -> None:
    c, reference, magnitude = prepared(shape, activation)
    [y] = run(c, place)
    assert_close(y, reference, ROUNDING(4), magnitude)


@everywhere
def test_a_nan_stays(place: str) -> None:
    x = np.ones((1, 5, 3, 3), np.float32)
    x[0, 2, 1, 1] = np.nan
    op = REGISTRY["ScaleShift"](activation=Activation("clamp", 0.0, 6.0))
    [y] = run(case(op, [x, np.ones(5, np.float32), np.zeros(5, np.float32)], [1, 2]), place)
    assert np.array_equal(np.isnan(y), np.isnan(x))


@pytest.mark.cudasim
def test_rows_touch_what_they_declare(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_ranges(plan(prepared((2, 5, 3), None)[0]), monkeypatch) > 5


@pytest.mark.gpu
@pytest.mark.parametrize("shape", [(8, 256, 56, 56), (16, 1024, 7, 7)], ids=str)
def test_large(shape: tuple[int, ...]) -> None:
    c, reference, magnitude = prepared(shape, None)
    [y] = run(c, "gpu")
    assert_close(y, reference, ROUNDING(2), magnitude)
