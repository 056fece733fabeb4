"""A whole profile: the layers of `inspect`, and where the time before the first result went."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.planner.programs import chain, classifier, convolutions, node
from tests.profile.profiled import nothing, profiled
from tests.runtime.sessions import in_python, of_unknown_size, session
from tinycnn import knobs
from tinycnn.ir import Graph
from tinycnn.kernels import cache
from tinycnn.kernels.cpu import native
from tinycnn.models import card
from tinycnn.profile.measure import STAGES, profile
from tinycnn.runtime import executor_cpu
from tinycnn.session import InferenceSession
from tinycnn.summary import summarise


@pytest.mark.parametrize("make", [convolutions, classifier, in_python], ids=lambda f: f.__name__)
def test_the_rows_are_the_layers_of_inspect(make: Callable[[], Graph]) -> None:
    graph = make()
    told, _ = profiled(graph)
    names = ("name", "operator", "output", "algorithm", "reason", "native", "macs")
    wanted = summarise(session(graph, 1)).layers
    assert [[getattr(layer, n) for n in names] for layer in told.layers] == [
        [getattr(layer, n) for n in names] for layer in wanted
    ]


def test_what_is_planned_late_is_shown_as_it_ran() -> None:
    told, _ = profiled(of_unknown_size())
    assert [(layer.name, layer.native) for layer in told.layers] == [
        ("a", True),
        ("b", False),
        ("c", False),
        ("y", True),
    ]


def test_every_figure_is_there_and_json() -> None:
    told, run = profile(lambda: InferenceSession(str(card("lenet5").path)), {"image": (3, 1, 28, 28)}, 4)
    document = json.loads(json.dumps(told.as_dict(), allow_nan=False))
    assert (document["model"], document["inputs"], document["runs"]) == ("lenet5", {"image": "3x1x28x28"}, 4)
    assert set(document["stages"]) == {*STAGES, "other"}
    assert document["median_ms"] <= document["p90_ms"] <= document["p99_ms"]
    assert sum(layer["macs"] for layer in document["layers"]) == 3 * 416_520
    assert sum(layer["share"] for layer in document["layers"]) == pytest.approx(1)
    direct = [layer for layer in document["layers"] if not layer["algorithm"].startswith("winograd")]
    assert direct and all(layer["executed_macs"] >= layer["macs"] for layer in direct)
    assert document["layers_ms"] == pytest.approx(sum(layer["ms"] for layer in document["layers"]))
    assert 0 < document["in_layers_ms"] <= document["noted_ms"]
    assert document["open_ms"] == pytest.approx(sum(document["stages"].values()))
    assert run.end > run.begin and len(run.marks) == 1


def test_the_threads_that_worked_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert profiled(convolutions(), threads=3)[0].threads == 1  # too small for a team
    monkeypatch.setattr(executor_cpu, "TEAM_WORTH_S", 0.0)
    told, _ = profiled(convolutions(), threads=3)
    assert told.threads == told.machine.threads == 3


def test_a_cold_and_a_warm_cache_of_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(knobs.CACHE.name, str(tmp_path))
    monkeypatch.setattr(native, "addresses", {})
    cache.cache_folder.cache_clear()
    graph = chain((2, 3), node("Relu", "x", "y"))
    first, _ = profiled(graph)
    again, _ = profiled(graph)
    native.addresses.clear()
    warm, _ = profiled(graph)
    cache.cache_folder.cache_clear()
    assert (first.cache, again.cache, warm.cache) == ("cold", "not asked", "warm")
    assert first.kernels["compiled"] == first.kernels["linked"] == warm.kernels["linked"] >= 2
    assert warm.kernels["compiled"] == again.kernels["linked"] == 0


def test_a_network_that_only_hands_on_its_input() -> None:
    told, _ = profiled(nothing())
    assert sum(layer.ms for layer in told.layers) == told.layers_ms
    json.dumps(told.as_dict(), allow_nan=False)


def test_progress_is_told_after_each_run() -> None:
    told: list[tuple[int, int | None]] = []
    profile(lambda: session(in_python(), 1), {}, 2, lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (0, 2), (1, 2), (2, 2)]
