"""Reductions over every set of axes on CUDA kernels."""

import numpy as np
import pytest

from tests.cases.reduce import CASES, magnitude
from tests.kernels.cuda.harness import case, everywhere, run
from tests.kernels.cuda.teams import use_small
from tinycnn.kernels.cuda import reduce
from tinycnn.kernels.cuda.team import LONG_ROW, TEAMS, Team, choose, parts
from tinycnn.kernels.reduction import REDUCTIONS
from tinycnn.ops import REGISTRY
from tinycnn.ops.op import Op


def sample(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng([0, *shape]).standard_normal(shape, np.float32)


@pytest.fixture
def small(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_small(reduce, place, monkeypatch)


def check(op: Op, arrays: list[np.ndarray | None], place: str) -> None:
    [y] = run(case(op, arrays, [1]), place)
    expected = op.reference(*arrays)[0]
    assert y.shape == expected.shape
    assert (np.abs(y - expected) <= 2.0**-24 * 16 * magnitude(op, arrays)).all()


@everywhere
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("shape, axes", CASES, ids=str)
def test_mean_over_axes(shape: tuple[int, ...], axes: tuple[int, ...] | None, place: str) -> None:
    check(REGISTRY["ReduceMean"](keepdims=0), [sample(shape), None if axes is None else np.array(axes)], place)


@everywhere
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("axes", [(1,), (2, 3), (0, 2), (3,)], ids=str)
@pytest.mark.parametrize("kind", REDUCTIONS)
def test_folds(kind: str, axes: tuple[int, ...], place: str) -> None:
    x = np.abs(sample((2, 21, 3, 5))) if kind == "ReduceLogSum" else sample((2, 21, 3, 5))
    check(REGISTRY[kind](), [x, np.array(axes)], place)


@everywhere
@pytest.mark.parametrize("team", TEAMS, ids=str)
@pytest.mark.parametrize("cut", [1, 3])
@pytest.mark.parametrize("shape, axis", [((2, 290), 1), ((1, 41, 2), 1)], ids=str)
def test_every_team(
    shape: tuple[int, ...], axis: int, cut: int, team: Team, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reduce, "choose", lambda *args: team)
    monkeypatch.setattr(reduce, "parts", lambda *args: cut)
    check(REGISTRY["ReduceL2"](), [sample(shape), np.array([axis])], place)


@everywhere
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", ["ReduceMax", "ReduceMin", "ReduceSum"])
@pytest.mark.parametrize("axes", [(2,), (1,)])
def test_a_nan_anywhere_makes_a_nan(axes: tuple[int, ...], kind: str, place: str) -> None:
    x, op = sample((9, 9, 9)), REGISTRY[kind]()
    for i in range(9):
        x[i, i, 8 - i] = np.nan
    [y] = run(case(op, [x, np.array(axes)], [1]), place)
    assert np.array_equal(np.isnan(y), np.isnan(op.reference(x, np.array(axes))[0]))


def test_long_lines_are_cut_where_they_are_few() -> None:
    for lines, axis in [(1, 1 << 20), (3, 1 << 16), (100, 1 << 18)]:
        team = choose(lines, axis, 1, 132)
        assert team is LONG_ROW and lines * parts(lines, axis, team, 132) <= 132
    assert parts(1, 1 << 20, LONG_ROW, 132) == 132
    assert parts(2048, 49, choose(2048, 49, 1, 132), 132) == 1


@pytest.mark.gpu
@pytest.mark.parametrize(
    "shape, axes", [((3, 5, 700, 701), (2, 3)), ((64, 2048, 7, 7), (2, 3)), ((9, 800, 3000), (1,))]
)
def test_large_tensors(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    check(REGISTRY["ReduceMean"](), [sample(shape), np.array(axes)], "gpu")
