"""What was measured decides: found again by the request, obeyed while it is offered, and nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.kernels.cpu.harness import request
from tests.planner.requests import SHAPES, convolution, measured
from tinycnn.kernels.cpu import isa
from tinycnn.kernels.lowering import Choice, Request
from tinycnn.ops import REGISTRY
from tinycnn.ops.activation import Activation
from tinycnn.planner.select import offers, select
from tinycnn.planner.tuned import Tuned, describe

R = convolution(*SHAPES[2])


def taken(r: Request, tuned: dict[str, Tuned] | None = None, **algorithms: str) -> Choice:
    choice = select(r, {"": algorithms.get("all", ""), **algorithms}, tuned)
    assert choice is not None
    return choice


def unloved(r: Request) -> Choice:
    """A choice that the cost model would not take, by another algorithm."""
    model = taken(r)
    return next(c for c in offers(r) if c.algorithm != model.algorithm)


def test_a_request_is_told_in_words() -> None:
    assert describe(R) == (
        "Conv(float32[1x96x14x14] blocked, float32[208x96x3x3] constant) -> float32[1x208x14x14], pads=(1, 1, 1, 1)"
    )


def test_operands_are_told_apart() -> None:
    x, starts, ends, steps = np.ones((2, 9), np.float32), np.array([0, 1]), np.array([2, 5]), np.array([1, 2])
    r = request(REGISTRY["Slice"](), [x, starts, ends, None, steps], [1, 2, 4], "plain", isa.current(), 1)
    assert describe(r) == (
        "Slice(float32[2x9] plain, int64[2] constant [0, 1], int64[2] constant [2, 5], absent, "
        "int64[2] constant [1, 2]) -> float32[2x2]"
    )


def test_the_description_follows_what_takes_time_and_nothing_else() -> None:
    arrays = [np.zeros((1, 96, 14, 14), np.float32), np.ones((208, 96, 3, 3), np.float32)]
    alike = request(R.op, arrays, [1], "blocked", isa.current(), 4)
    assert describe(replace(alike, node=replace(alike.node, name="another"))) == describe(R)
    others = [
        convolution(*SHAPES[2], strides=(2, 2)),
        convolution(*SHAPES[2], activation=Activation("clamp", 0.0, 6.0)),
        convolution(*SHAPES[0]),
        request(R.op, arrays, [1], "plain", isa.current(), 1),
        request(R.op, arrays, [], "blocked", isa.current(), 1),
    ]
    assert len({describe(r) for r in (R, *others)}) == 1 + len(others)


def test_what_was_measured_is_chosen_and_says_so() -> None:
    wanted = unloved(R)
    choice = taken(R, {describe(R): measured(R, wanted.name)})
    assert choice.name == wanted.name
    assert choice.reason.startswith("tuned on this machine: 1 ms, predicted 2.5; second ")
    assert choice.reason.endswith(wanted.reason)


def test_another_request_is_left_to_the_cost_model() -> None:
    other = convolution(*SHAPES[0])
    assert taken(R, {describe(other): measured(other, unloved(other).name)}).reason == taken(R).reason


def test_a_choice_that_is_not_offered_any_more_is_skipped() -> None:
    name = "direct 99x9: blocked to blocked"
    choice = taken(R, {describe(R): Tuned(name, {name: 1.0}, {name: 1.0})})
    assert (choice.name, choice.reason) == (taken(R).name, taken(R).reason)


def test_one_who_is_asked_for_comes_first() -> None:
    tuned = {describe(R): measured(R, unloved(R).name)}
    for wish in ({"all": "winograd_f4x3"}, {R.node.name: "im2col"}):
        choice = taken(R, tuned, **wish)
        assert choice.algorithm == next(iter(wish.values())) and "asked for" in choice.reason


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_any_number_of_threads_computes_as_one(shape: tuple[int, int, int, int, int]) -> None:
    r = convolution(*shape)
    for name in [c.name for c in offers(r)][::6]:
        tuned = measured(r, name)
        slowest = max(tuned.measured_ms, key=lambda n: tuned.measured_ms[n])
        tuned = replace(tuned, on_threads={2: {slowest: 1.0}, 3: {name: 1.0}})
        found = [taken(replace(r, threads=threads), {describe(r): tuned}) for threads in (1, 2, 3, 4)]
        assert all(c.computes_as(found[0]) for c in found)
        assert found[0].name == name


def test_a_variant_is_that_of_the_number_of_threads() -> None:
    tiles = [c.name for c in offers(R) if c.algorithm == "direct" and c.inputs[0] == "blocked"]
    tuned = replace(measured(R, tiles[0]), on_threads={2: {tiles[0]: 3.0, tiles[-1]: 0.5}})
    found = {threads: taken(replace(R, threads=threads), {describe(R): tuned}) for threads in (1, 2, 3)}
    assert [found[n].name for n in (1, 2, 3)] == [tiles[0], tiles[-1], tiles[0]]
    assert "1 ms, 0.5 on 2 threads, predicted" in found[2].reason


def test_json_and_back() -> None:
    tuned = replace(measured(R, unloved(R).name), on_threads={2: {"a": 1.5}})
    assert Tuned.of(json.loads(json.dumps(tuned.as_dict()))) == tuned


@pytest.mark.parametrize(
    "damage",
    [
        {"choice": "unheard of"}, {"choice": 3}, {"choice": ["a"]}, {"measured_ms": [1.0]}, {"measured_ms": None},
        {"measured_ms": {"a": "fast"}}, {"measured_ms": {"a": -1.0}}, {"measured_ms": {"a": float("nan")}},
        {"measured_ms": {"a": True}}, {"measured_ms": {"a": 10**400}}, {"predicted_ms": {}},
        {"on_threads": {"two": {}}}, {"on_threads": {"2": 1.0}}, {"on_threads": []},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_measurement_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Tuned.of({**Tuned("a", {"a": 1.0}, {"a": 2.0}).as_dict(), **damage})
    for nothing in (None, [], {}, 1):
        with pytest.raises(ValueError):
            Tuned.of(nothing)
