"""A network tuned by made-up times, and the sessions that follow."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.numerics import ROUNDING, assert_close
from tests.planner.programs import chain, convolutions, node, normal, square
from tests.runtime.sessions import feed, in_python, of_unknown_size, session
from tinycnn.ir import Graph
from tinycnn.kernels.cpu import isa
from tinycnn.kernels.lowering import Choice, Request
from tinycnn.planner.tuned import Tuned
from tinycnn.session import InferenceSession, SessionOptions
from tinycnn.summary import summarise
from tinycnn.tune.keep import keep
from tinycnn.tune.network import Tuning, tune


def favouring(algorithm: str):
    """Times in which this algorithm is the fastest, where it is offered."""

    def measure(request: Request, choices: Sequence[Choice]) -> list[float]:
        return [(1e-3 if c.algorithm == algorithm else 4e-3) * (1 + i / 100) for i, c in enumerate(choices)]

    return measure


def tuned(graph: Graph, algorithm: str, path: Path, threads: int = 1) -> Tuning:
    return tune(session(graph, threads), {}, favouring(algorithm), lambda found: keep(path, isa.current(), found))


def obeying(graph: Graph, path: Path | str, threads: int = 1) -> InferenceSession:
    return InferenceSession(graph, SessionOptions(intra_op_num_threads=threads, tuned=str(path)))


def alike() -> Graph:
    """Three convolutions, of two requests: the input of the first is plain."""
    layers = [node("Conv", f"{x} w", y, pads=(1, 1, 1, 1)) for x, y in ("xa", "ab", "by")]
    return chain((1, 40, 8, 9), *layers, w=normal(40, 40, 3, 3))


def through(graph: Graph, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    for layer in graph.nodes:
        [x] = layer.op.reference(x, w)
    return x


@pytest.mark.parametrize("algorithm", ["direct", "im2col", "winograd_f2x3"])
def test_a_session_obeys_and_computes_the_same(algorithm: str, tmp_path: Path) -> None:
    graph, file = alike(), tmp_path / "tuned.json"
    told = tuned(graph, algorithm, file)
    assert {layer.pairs[1].best.split()[0].rstrip(":") for layer in told.layers} == {algorithm}
    layers = [layer for layer in summarise(obeying(graph, file)).layers if layer.operator == "Conv"]
    assert [layer.algorithm for layer in layers] == [algorithm] * 3
    assert all(layer.reason.startswith("tuned on this machine: ") for layer in layers)
    w, x = graph.constants["w"], feed(graph)
    [y], [again] = (obeying(graph, file).run(None, x) for _ in range(2))
    np.testing.assert_array_equal(again, y)
    # Each of the three layers adds its own roundings, as many as the algorithm's tests allow one.
    assert_close(y, through(graph, x["x"], w), ROUNDING(3 * 8), through(graph, np.abs(x["x"]), np.abs(w)).max())


def test_threads_change_no_bit(tmp_path: Path) -> None:
    graph = convolutions()
    tuned(graph, "im2col", tmp_path / "tuned.json", threads=2)
    [y, *others] = [obeying(graph, tmp_path / "tuned.json", threads).run(None, feed(graph))[0] for threads in (1, 2, 3)]
    for other in others:
        np.testing.assert_array_equal(other, y)


def test_what_was_tuned_for_one_shape_leaves_others_alone(tmp_path: Path) -> None:
    tuned(square(), "im2col", tmp_path / "tuned.json")
    graph = chain((1, 5, 9, 9), node("Conv", "x w", "y", pads=(1, 1, 1, 1)), w=normal(17, 5, 3, 3))
    assert "tuned" not in summarise(obeying(graph, tmp_path / "tuned.json")).layers[0].reason


def test_a_request_is_measured_once_and_counts_for_each_layer() -> None:
    measured: list[str] = []
    kept: dict[str, Tuned] = {}
    progress: list[tuple[int, int | None]] = []

    def measure(request: Request, choices: Sequence[Choice]) -> list[float]:
        measured.append(request.node.name)
        return favouring("im2col")(request, choices)

    told = tune(session(alike(), 1), {}, measure, kept.update, lambda done, total: progress.append((done, total)))
    assert [layer.name for layer in told.layers] == ["a", "b", "y"]
    assert len(measured) == 2 and progress == [(0, 2), (1, 2), (2, 2)]
    assert set(kept) == {layer.request for layer in told.layers}
    pairs = [layer.pairs[1] for layer in told.layers]
    assert told.sums(1).model_ms == pytest.approx(sum(p.model_ms for p in pairs))
    assert told.sums(1).model_to_best == pytest.approx(sum(p.model_ms for p in pairs) / sum(p.best_ms for p in pairs))


def test_what_was_tuned_before_does_not_count_as_the_cost_models_choice(tmp_path: Path) -> None:
    first = tuned(square(), "im2col", tmp_path / "tuned.json")
    again = tune(obeying(square(), tmp_path / "tuned.json"), {}, favouring("im2col"))
    assert again.layers == first.layers


@pytest.mark.parametrize("graph", [in_python(), of_unknown_size()], ids=["in python", "of unknown size"])
def test_a_network_without_choices(graph: Graph) -> None:
    told = tune(session(graph, 2), {}, favouring("im2col"))
    assert all(layer.operator != "ArgMax" for layer in told.layers)
    json.dumps(told.as_dict(), allow_nan=False)


def test_figures_are_json() -> None:
    told = json.loads(json.dumps(tune(session(square(), 2), {}, favouring("im2col")).as_dict(), allow_nan=False))
    assert set(told["sums"]) == {"1", "2"} and told["threads"] == 2
    assert told["sums"]["1"]["model_to_best"] >= 1
    assert set(told["layers"][0]["pairs"]["1"]) == {"model", "model_ms", "best", "best_ms"}
