"""Windows over every kind of edge on CUDA kernels, against the operators' references."""

import numpy as np
import pytest

from tests.cases.pool import WINDOWS
from tests.kernels.cuda.harness import case, everywhere, run
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cuda import pool, tuning
from tinycnn.ops import REGISTRY


def sample(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng([0, *shape]).standard_normal(shape, np.float32)


@everywhere
@pytest.mark.parametrize("shape, attributes", WINDOWS, ids=str)
def test_max_is_exact(shape: tuple[int, ...], attributes: dict[str, object], place: str) -> None:
    x, op = sample(shape), REGISTRY["MaxPool"](**attributes)
    [y] = run(case(op, [x]), place)
    assert_close(y, op.reference(x)[0])


@everywhere
@pytest.mark.parametrize("include", [0, 1])
@pytest.mark.parametrize("shape, attributes", WINDOWS, ids=str)
def test_average_rounds_once_a_tap(
    shape: tuple[int, ...], attributes: dict[str, object], include: int, place: str
) -> None:
    x, op = sample(shape), REGISTRY["AveragePool"](**attributes, count_include_pad=include)
    [y] = run(case(op, [x]), place)
    level = ROUNDING(float(np.prod(attributes["kernel_shape"])) + 2)  # type: ignore[arg-type]
    assert_close(y, op.reference(x)[0], level, op.reference(np.abs(x))[0])


@everywhere
@pytest.mark.parametrize("window", [*tuning.POOL_WINDOWS, pool.ANY], ids=str)
def test_max_of_a_nan_is_a_nan(window: tuple[int, int, int], place: str) -> None:
    size, stride, _ = window
    x = sample((1, 5, 7, 9))
    x[0, 4, 3, 5], x[0, 1, 6, 8], x[0, 2, 0, 0], x[0, 3] = np.nan, np.nan, np.nan, -np.inf
    op = REGISTRY["MaxPool"](kernel_shape=(size or 4,) * 2, strides=(stride or 3,) * 2, pads=(1, 1, 1, 1))
    [y] = run(case(op, [x]), place)
    assert_close(y, op.reference(x)[0])


def test_windows_of_their_own_are_recognised() -> None:
    names = ("kh", "kw", "sh", "sw", "dh", "dw")
    assert pool.window(dict(zip(names, (3, 3, 2, 2, 1, 1), strict=True)))[:2] == (3, 2)
    for other in [(3, 3, 2, 1, 1, 1), (3, 2, 2, 2, 1, 1), (3, 3, 1, 1, 2, 2), (5, 5, 1, 1, 1, 1)]:
        assert pool.window(dict(zip(names, other, strict=True))) == pool.ANY


@pytest.mark.gpu
@pytest.mark.parametrize("window", tuning.POOL_WINDOWS, ids=str)
def test_large_maps(window: tuple[int, int, int]) -> None:
    size, stride, _ = window
    x = sample((3, 61, 113, 111))
    op = REGISTRY["MaxPool"](kernel_shape=(size, size), strides=(stride, stride), pads=(1, 0, 0, 1))
    [y] = run(case(op, [x]), "gpu")
    assert_close(y, op.reference(x)[0])
