"""Normalizations by the statistics of a row on CUDA kernels, against their references."""

from collections.abc import Iterable

import numpy as np
import pytest

from tests.cases.norm import GROUPS, LAYERS, SHAPES
from tests.kernels.cuda.harness import case, everywhere, run
from tests.kernels.cuda.teams import SMALL
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cuda import norm
from tinycnn.kernels.cuda.team import LONG_ROW, ROW, Team
from tinycnn.ops import REGISTRY
from tinycnn.ops.op import Op


def sample(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape, np.float32)


@pytest.fixture
def small(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if place == "simulator":
        monkeypatch.setattr(norm, "choose", lambda length: SMALL[ROW if length <= 200 else LONG_ROW])


def check(op: Op, arrays: list[np.ndarray | None], place: str, constants: Iterable[int] = (1, 2)) -> None:
    [y] = run(case(op, arrays, constants), place)
    np.testing.assert_allclose(y, op.reference(*arrays)[0], rtol=2e-5, atol=2e-5)


@everywhere
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_instance_normalization(shape: tuple[int, ...], place: str) -> None:
    arrays = [sample(shape) * 3 + 5, sample(shape[1:2], 1), sample(shape[1:2], 2)]
    check(REGISTRY["InstanceNormalization"](epsilon=1e-3), arrays, place)


@everywhere
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("shape, groups", GROUPS)
def test_group_normalization(shape: tuple[int, ...], groups: int, place: str) -> None:
    arrays = [sample(shape) * 3 + 5, sample(shape[1:2], 1), sample(shape[1:2], 2)]
    check(REGISTRY["GroupNormalization"](num_groups=groups, epsilon=1e-3), arrays, place)


@everywhere
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("shape, axis, scale, bias", LAYERS)
def test_layer_normalization(
    shape: tuple[int, ...], axis: int, scale: tuple[int, ...], bias: tuple[int, ...] | None, place: str
) -> None:
    arrays = [sample(shape), sample(scale, 1), None if bias is None else sample(bias, 2)]
    check(REGISTRY["LayerNormalization"](axis=axis), arrays, place)


@everywhere
@pytest.mark.parametrize("team", [ROW, LONG_ROW], ids=str)
def test_every_team(team: Team, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(norm, "choose", lambda length: team)
    arrays = [sample((1, 6, 7, 17)) * 3 + 5, sample((6,), 1), sample((6,), 2)]
    check(REGISTRY["GroupNormalization"](num_groups=3), arrays, place)


def check_far_from_zero(size: int, place: str) -> None:
    """Rows of numbers around 2000, most of them near their mean and a few far from it."""
    x = 2000 + 0.5 * sample((1, 2, 1, size), 5)
    x[..., : size // 170] += 400
    arrays = [x, sample((2,), 1), sample((2,), 2)]
    op = REGISTRY["InstanceNormalization"](epsilon=1e-5)
    [y] = run(case(op, arrays, [1, 2]), place)
    [wanted] = op.reference(*arrays)
    assert_close(y, wanted, ROUNDING(64), np.abs(wanted).max())


@everywhere
@pytest.mark.usefixtures("small")
def test_a_mean_far_from_zero_costs_no_accuracy(place: str) -> None:
    check_far_from_zero(8_000, place)


@pytest.mark.gpu
def test_millions_of_small_deviations_cost_no_accuracy() -> None:
    check_far_from_zero(512_512, "gpu")


def test_teams_grow_with_rows() -> None:
    assert [norm.choose(length) for length in (49, 768, 50_176)] == [ROW, LONG_ROW, norm.LONGEST_ROW]
