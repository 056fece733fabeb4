"""Plans that leave marks: the same bits as without, and times in the order in which things happen."""

import time
from collections.abc import Callable

import numpy as np
import pytest

from tests.planner.programs import classifier, convolutions, moves, square
from tests.runtime.sessions import feed, in_python, of_unknown_size, session
from tinycnn.errors import DeviceError, OptionError
from tinycnn.ir import Graph, Node
from tinycnn.planner.program import Program
from tinycnn.runtime import executor_cpu
from tinycnn.runtime.network import Plan
from tinycnn.runtime.timed import Mark, Marks, now, timed

GRAPHS = {f.__name__: f for f in (convolutions, classifier, moves, square)}


@pytest.fixture(autouse=True)
def always_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_cpu, "TEAM_WORTH_S", 0.0)


def marks_of(graph: Graph, threads: int) -> tuple[Marks, list[np.ndarray], tuple[int, int]]:
    """The marks of a third run, its results, and when it was."""
    marks: Marks = []
    feeds = feed(graph)
    plan = timed(session(graph, threads).plan({name: x.shape for name, x in feeds.items()}), marks)
    for _ in range(3):
        marks.clear()
        begin = now()
        results = plan.run(feeds)
    return marks, results, (begin, now())


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_results_and_the_order_of_times(make: Callable[[], Graph], threads: int) -> None:
    graph = make()
    marks, results, (begin, end) = marks_of(graph, threads)
    [mark] = marks
    assert isinstance(mark.part, Program)
    for y, wanted in zip(results, session(graph, 1).run(None, feed(graph)), strict=True):
        np.testing.assert_array_equal(y, wanted)
    assert mark.times.shape == (threads, len(mark.part.rows), 2)
    assert begin <= mark.times.min() <= mark.times.max() <= end
    begun, done = mark.times[..., 0], mark.times[..., 1]
    assert (begun <= done).all()
    assert (begun[:, 1:] >= done[:, :-1].max(0)).all()  # nobody goes on before the last has done its share


def parts(marks: Marks) -> list[str]:
    return [m.part.op.kind if isinstance(m.part, Node) else f"{len(m.part.rows)} rows" for m in marks]


def test_what_python_computes_leaves_marks_too() -> None:
    graph = in_python()
    marks, [y], (begin, end) = marks_of(graph, 2)
    np.testing.assert_array_equal(y, session(graph, 1).run(None, feed(graph))[0])
    assert parts(marks) == ["1 rows", "ArgMax", "Cast"]
    edges = [begin, *(t for mark in marks for t in (mark.times.min(), mark.times.max())), end]
    assert edges == sorted(edges)


def test_what_is_planned_late_leaves_marks_too() -> None:
    graph = of_unknown_size()
    marks, [y], _ = marks_of(graph, 2)
    np.testing.assert_array_equal(y, session(graph, 1).run(None, feed(graph))[0])
    assert parts(marks) == ["1 rows", "NonZero", "Cast", "1 rows"]


def test_plans_share_memory_with_those_that_leave_no_marks() -> None:
    graph = convolutions()
    s, marks = session(graph, 2), []  # type: ignore[var-annotated]
    s.run(None, feed(graph))
    plan = s.plan({name: x.shape for name, x in feed(graph).items()})
    noting = timed(plan, marks)
    noting.run(feed(graph))
    [executor], [other] = plan.parts, noting.parts
    assert other.contexts is executor.contexts and len(executor.contexts) == 1  # type: ignore[union-attr]


def test_a_mark_knows_its_graph() -> None:
    marks, _, _ = marks_of(in_python(), 1)
    assert all(isinstance(mark, Mark) and "b" in mark.graph.specs for mark in marks)


def test_what_cannot_be_timed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="CUDA"):
        timed(Plan(convolutions(), (object(),)), [])  # type: ignore[arg-type]
    monkeypatch.delattr(time, "CLOCK_MONOTONIC")
    with pytest.raises(DeviceError, match="clock_gettime"):
        marks_of(convolutions(), 1)
