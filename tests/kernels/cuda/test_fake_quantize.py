"""FakeQuantize on CUDA kernels: exact, halves, NaN and infinities included."""

import numpy as np
import pytest

from tests.kernels.cuda.harness import algorithms, case, device, everywhere, plan, run
from tests.kernels.cuda.touched import check_ranges
from tinycnn.ops import REGISTRY

EDGES = [*np.arange(-4.5, 4.5) / 4, np.nan, np.inf, -np.inf, 1e30, -1e30, -0.0, 0, 31.875, 32, 33, 0.1]
POINTS = [(None, -128, 127), (np.uint8(200), 0, 255), (np.int8([-5]), -128, 127)]


@everywhere
@pytest.mark.parametrize("zero, qmin, qmax", POINTS)
@pytest.mark.parametrize("shape", [(2, 19, 5, 7), (301,), (), (1, 3, 0)], ids=str)
def test_exact(shape: tuple[int, ...], zero: np.ndarray | None, qmin: int, qmax: int, place: str) -> None:
    op = REGISTRY["FakeQuantize"](qmin=qmin, qmax=qmax)
    x = 5 * np.random.default_rng(0).standard_normal(shape, np.float32)
    if x.size > 20:
        x.reshape(-1)[:20] = EDGES
    scale = np.float32(0.25).reshape(np.shape(zero) if zero is not None else ())
    arrays = [np.asarray(x), scale, None if zero is None else np.asarray(zero)]
    [y] = run(case(op, arrays, [1, 2]), place)
    np.testing.assert_array_equal(y, op.reference(*arrays)[0])


def test_a_scale_for_each_channel_has_no_kernel() -> None:
    arrays = [np.ones((2, 3, 5), np.float32), np.float32([0.1, 0.2, 0.3])]
    assert not algorithms(case(REGISTRY["FakeQuantize"](), arrays, [1]), device("simulator"))


@pytest.mark.cudasim
def test_rows_touch_what_they_declare(monkeypatch: pytest.MonkeyPatch) -> None:
    c = case(REGISTRY["FakeQuantize"](), [np.ones(30, np.float32), np.float32(0.1).reshape(())], [1])
    assert check_ranges(plan(c), monkeypatch) > 2
