"""Sessions under threads: equal bits for any number, many callers, many shapes, pickles and forks."""

import pickle
import threading
from collections.abc import Callable

import numpy as np
import pytest

from tests.planner.programs import chain, classifier, convolutions, moves, node, normal, normalised, square
from tests.runtime.sessions import feed, session
from tinycnn import knobs
from tinycnn.ir import Graph, TensorSpec
from tinycnn.runtime import executor_cpu

GRAPHS = {f.__name__: f for f in (convolutions, classifier, normalised, moves, square)}


@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_any_number_of_threads_gives_the_same_bits(make: Callable[[], Graph], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_cpu, "TEAM_WORTH_S", 0.0)
    graph = make()
    [wanted] = session(graph, 1).run(None, feed(graph))
    for threads in (2, 3, 5):
        [y] = session(graph, threads).run(None, feed(graph))
        np.testing.assert_array_equal(y, wanted)


def test_one_session_serves_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_cpu, "TEAM_WORTH_S", 0.0)
    graph = convolutions()
    shared = session(graph, 2)
    feeds = [feed(graph, seed) for seed in range(4)]
    wanted = [session(graph, 1).run(None, f)[0] for f in feeds]
    right: list[bool] = []

    def call(i: int) -> None:
        right.extend(np.array_equal(shared.run(None, feeds[i])[0], wanted[i]) for _ in range(25))

    callers = [threading.Thread(target=call, args=(i,)) for i in range(len(feeds))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert right == [True] * 25 * len(feeds)


def any_batch() -> Graph:
    graph = chain((1, 3, 8, 9), node("Conv", "x w", "y", pads=(1, 1, 1, 1)), w=normal(5, 3, 3, 3))
    return graph.replace(inputs={"x": TensorSpec.f32("n", 3, "h", "w")}, specs={})


def test_a_bounded_number_of_plans_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(knobs.PLANS.name, "3")
    s = session(any_batch(), 1)
    shapes = [(n, 3, h, 7) for n in (1, 2, 3) for h in (5, 6)]
    for shape in [*shapes, *reversed(shapes)]:
        [y] = s.run(None, {"x": np.ones(shape, np.float32)})
        assert y.shape == (shape[0], 5, *shape[2:])
        assert len(s.network.plans) <= 3
    assert len(s.network.store.blocks) <= 6  # packed weights are shared by all plans, tables are a plan's own


def test_results_do_not_change_when_the_session_runs_again() -> None:
    s = session(any_batch(), 1)
    x = np.ones((1, 3, 6, 7), np.float32)
    [first] = s.run(None, {"x": x})
    kept = first.copy()
    s.run(None, {"x": 2 * x})
    np.testing.assert_array_equal(first, kept)


def test_the_feed_is_not_written_to() -> None:
    graph = classifier()
    feeds = feed(graph)
    kept = {name: x.copy() for name, x in feeds.items()}
    for x in feeds.values():
        x.flags.writeable = False
    session(graph, 2).run(None, feeds)
    for name, x in kept.items():
        np.testing.assert_array_equal(feeds[name], x)


def test_a_pickled_session_gives_the_same_bits() -> None:
    graph = classifier()
    first = session(graph, 1)
    second = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(first.run(None, feed(graph))[0], second.run(None, feed(graph))[0])
