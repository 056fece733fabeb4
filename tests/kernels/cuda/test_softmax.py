"""Softmax and LogSoftmax along every axis on CUDA kernels."""

import numpy as np
import pytest

from tests.cases.softmax import CASES, special, tolerance
from tests.kernels.cuda.harness import case, everywhere, run
from tests.kernels.cuda.teams import use_small
from tinycnn.kernels.cuda import softmax
from tinycnn.kernels.cuda.team import TEAMS, Team
from tinycnn.ops import REGISTRY

KINDS = ["Softmax", "LogSoftmax"]


def check(kind: str, shape: tuple[int, ...], axis: int, place: str) -> None:
    op, x = REGISTRY[kind](axis=axis), 8 * np.random.default_rng([0, *shape]).standard_normal(shape, np.float32)
    [y] = run(case(op, [x]), place)
    expected = op.reference(x)[0]
    assert (np.abs(y - expected) <= tolerance(kind, x, expected)).all()


@everywhere
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape, axis", [c for c in CASES if 0 not in c[0]], ids=str)
def test_against_reference(
    shape: tuple[int, ...], axis: int, kind: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_small(softmax, place, monkeypatch)
    check(kind, shape, axis, place)


@everywhere
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("team", TEAMS, ids=str)
@pytest.mark.parametrize("shape", [(2, 290), (1, 41, 3)], ids=str)
def test_every_team(shape: tuple[int, ...], team: Team, kind: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax, "choose", lambda *args: team)
    check(kind, shape, 1, place)


@everywhere
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", [1, 2])
def test_special_values(axis: int, kind: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_small(softmax, place, monkeypatch)
    x, op = special(np.random.default_rng(0)), REGISTRY[kind](axis=axis)
    [y] = run(case(op, [x]), place)
    np.testing.assert_allclose(y, op.reference(x)[0], rtol=2e-6, atol=2e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("shape, axis", [((64, 1000), 1), ((1, 21, 513, 513), 1), ((3, 50_257), 1), ((70_000, 3), 1)])
def test_large_tensors(shape: tuple[int, ...], axis: int) -> None:
    check("Softmax", shape, axis, "gpu")
