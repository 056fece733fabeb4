"""What is measured of a layer, and what follows from made-up times."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from tests.planner.programs import chain, classifier, in_blocks, node, normal
from tests.planner.requests import SHAPES, convolution
from tests.runtime.sessions import session
from tinycnn.kernels.lowering import Choice, Request
from tinycnn.planner.select import select
from tinycnn.tune.layers import LEAST_GAIN, find_best, rivals, tunable

R = convolution(*SHAPES[2])


def times(one: Mapping[str, float], others: float = 1.0) -> Callable[[Request, Sequence[Choice]], list[float]]:
    return lambda request, choices: [one.get(choice.name, others) for choice in choices]


def model(r: Request) -> str:
    choice = select(r, {})
    assert choice is not None
    return choice.name


def test_the_fastest_is_found_and_all_times_are_kept() -> None:
    choices = rivals(R)
    fastest = next(c.name for c in choices if c.algorithm == "im2col")
    found = find_best(R, 1, times({fastest: 0.25}))
    assert found.tuned.choice == fastest
    assert found.tuned.measured_ms == {c.name: 250.0 if c.name == fastest else 1000.0 for c in choices}
    assert found.tuned.predicted_ms.keys() == found.tuned.measured_ms.keys()
    pair = found.pairs[1]
    assert (pair.model, pair.model_ms, pair.best, pair.best_ms) == (model(R), 1000.0, fastest, 250.0)
    assert pair.gain == 4.0


def test_what_gains_next_to_nothing_changes_nothing() -> None:
    other = next(c.name for c in rivals(R) if c.name != model(R))
    found = find_best(R, 1, times({model(R): 1.0, other: 1 / LEAST_GAIN + 0.001}, 2.0))
    assert found.tuned.choice == model(R) and found.pairs[1].gain == 1.0


def test_threads_choose_among_what_computes_alike() -> None:
    tiles = [c for c in rivals(R) if c.algorithm == "direct" and c.inputs[0] == "blocked"]

    def measure(request: Request, choices: Sequence[Choice]) -> list[float]:
        if request.threads == 1:
            return times({tiles[0].name: 0.5})(request, choices)
        assert [c.name for c in choices if not c.computes_as(tiles[0])] == [model(request)]
        return times({tiles[-1].name: 0.2, model(request): 0.1})(request, choices)

    found = find_best(R, 2, measure)
    assert found.tuned.choice == tiles[0].name
    assert set(found.tuned.on_threads[2]) == {c.name for c in tiles}
    assert (found.pairs[2].best, found.pairs[2].best_ms, found.pairs[2].model_ms) == (tiles[-1].name, 200.0, 100.0)


def test_rivals_leave_the_rest_of_the_plan_as_it_is() -> None:
    for r in tunable(session(in_blocks(), 1).network, {"x": (1, 3, 11, 13)}):
        assert {c.output for c in rivals(r)} == {next(c.output for c in rivals(r) if c.name == model(r))}


def test_neither_views_nor_what_is_computed_in_place_are_measured() -> None:
    nodes = [
        node("Conv", "x w", "a"), node("Conv", "x w", "b"), node("Concat", "a b", "c", axis=1),
        node("Reshape", "c shape", "y"),
    ]  # fmt: skip
    graph = chain((1, 8, 5, 6), *nodes, w=normal(32, 8, 1, 1), shape=np.array([1, -1]))
    requests = tunable(session(graph, 1).network, {"x": (1, 8, 5, 6)})
    assert {r.node.kind for r in requests} == {"Conv"}


@pytest.mark.parametrize("threads", [1, 2])
def test_requests_are_of_one_thread(threads: int) -> None:
    graph = classifier()
    assert all(r.threads == 1 for r in tunable(session(graph, threads).network, {"x": (2, 5, 9, 10)}))
