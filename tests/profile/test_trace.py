"""The trace of a run: the format, and events that lie where they can."""

import io
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.planner.programs import classifier, square
from tests.profile.profiled import profiled
from tests.runtime.sessions import in_python
from tinycnn.ir import Graph
from tinycnn.profile.trace import write_trace
from tinycnn.runtime import executor_cpu


@pytest.fixture(autouse=True)
def always_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_cpu, "TEAM_WORTH_S", 0.0)


def events(graph: Graph, threads: int) -> list[dict[str, Any]]:
    told, run = profiled(graph, threads)
    file = io.BytesIO()
    write_trace(file, told, run)
    document = json.loads(file.getvalue())
    assert set(document) == {"traceEvents", "displayTimeUnit"}
    return document["traceEvents"]


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("make", [classifier, square, in_python], ids=lambda f: f.__name__)
def test_events_are_nested_in_the_run_and_follow_one_another(make: Callable[[], Graph], threads: int) -> None:
    found = events(make(), threads)
    assert {e["ph"] for e in found} == {"X", "M"}
    run, *others = [e for e in found if e["ph"] == "X"]
    assert (run["name"], run["ts"], run["tid"]) == ("run", 0, 0)
    assert all({"pid", "tid", "ts", "dur", "name", "cat", "args"} <= set(e) for e in others)
    assert all(e["dur"] >= 0 and e["ts"] >= 0 and e["ts"] + e["dur"] <= run["dur"] + 1e-6 for e in others)
    for thread in range(threads):
        mine = [e for e in others if e["tid"] == thread]
        assert all(a["ts"] + a["dur"] <= b["ts"] + 1e-6 for a, b in pairwise(mine))
    assert {e["tid"] for e in others} == set(range(threads))


def test_every_thread_shows_every_row_of_a_program_and_has_a_name() -> None:
    found = events(square(), 2)
    rows = [[e for e in found if e["ph"] == "X" and e["tid"] == t and e["cat"] != "run"] for t in range(2)]
    told = [[(e["name"], e["cat"], e["args"]["kernel"]) for e in mine] for mine in rows]
    assert told[0] == told[1]
    assert [name for name, kind, kernel in told[0] if kind == "Conv" and "conv" in kernel] == ["first", "second"]
    names = {e["tid"]: e["args"]["name"] for e in found if e["name"] == "thread_name"}
    assert names == {0: "caller", 1: "worker 1"}


def test_nodes_in_python_run_on_the_calling_thread() -> None:
    found = events(in_python(), 1)
    assert [(e["name"], e["tid"]) for e in found if e["ph"] == "X" and e["args"].get("algorithm") == "reference"] == [
        ("b", 0), ("y", 0),
    ]  # fmt: skip
