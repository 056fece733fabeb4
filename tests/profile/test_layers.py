"""From times to rates: made-up times, so that every figure is known."""

from collections.abc import Sequence

import numpy as np
import pytest

from tests.planner.programs import chain, classifier, node, normal, program
from tinycnn.planner.program import Program
from tinycnn.planner.traffic import step_bytes
from tinycnn.profile.layers import LayerProfile, layer_profiles, times, works
from tinycnn.profile.machine import Machine
from tinycnn.runtime.timed import Mark

MACHINE = Machine(threads=2, core_gflops=50.0, read_gbs=10.0)


def marked(p: Program, stamps: object, graph: object = None) -> Mark:
    return Mark(p, graph, np.array(stamps, np.int64))  # type: ignore[arg-type]


def rows(marks: Sequence[Mark], *more: Sequence[Mark]) -> tuple[LayerProfile, ...]:
    return layer_profiles(marks, np.stack([times(run) for run in (marks, *more)]), MACHINE)


def product() -> Program:
    """A product of 6 x 4000 by 4000 x 32, and a function of it: two steps, and more rows than that."""
    graph = chain((6, 4000), node("Gemm", "x w", "a"), node("Relu", "a", "y"), w=normal(4000, 32))
    return program(graph)


def one_after_another(p: Program, *ns: int, threads: int = 1, start: int = 1000) -> list[list[tuple[int, int]]]:
    """Stamps of threads that take these nanoseconds for each row, all of them the same."""
    edges = start + np.cumsum([0, *ns])
    return [list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))] * threads


def test_rows_of_a_step_add_up_and_rates_follow() -> None:
    p = product()
    steps = [row.step for row in p.rows]
    ns = [20_000 if step == 0 else 500 for step in steps]
    gemm, relu = rows([marked(p, one_after_another(p, *ns))])
    seconds = 20e-6 * steps.count(0)
    assert gemm.ms == pytest.approx(1e3 * seconds) and relu.ms == pytest.approx(0.0005)
    assert gemm.share + relu.share == pytest.approx(1)
    assert gemm.macs == 6 * 4000 * 32
    assert gemm.gflops == pytest.approx(2e-9 * gemm.macs / seconds)
    assert gemm.executed_gflops == pytest.approx(2e-9 * p.steps[0].executed_macs / seconds)
    assert gemm.peak_share == pytest.approx(gemm.executed_gflops / 100)
    assert gemm.nbytes == step_bytes(p)[0]
    assert gemm.gbs == pytest.approx(1e-9 * gemm.nbytes / seconds)
    assert gemm.bandwidth_share == pytest.approx(gemm.gbs / 10)
    assert (relu.gflops, relu.executed_gflops, relu.peak_share) == (0, 0, 0)


def test_a_layer_lasts_until_its_last_thread_and_the_others_are_idle() -> None:
    p = program(chain((4, 8), node("Relu", "x", "a"), node("Sigmoid", "a", "y")))
    stamps = [[(100, 200), (420, 500)], [(100, 400), (410, 600)]]
    first, second = rows([marked(p, stamps)])
    assert (first.ms, second.ms) == (pytest.approx(300e-6), pytest.approx(200e-6))
    assert first.idle == pytest.approx(1 - (100 + 300) / 600)
    assert second.idle == pytest.approx(1 - (80 + 190) / 400)


def test_one_thread_waits_for_nobody() -> None:
    p = program(chain((4, 8), node("Relu", "x", "a"), node("Sigmoid", "a", "y")))
    assert [layer.idle for layer in rows([marked(p, [[(100, 200), (230, 300)]])])] == [0, 0]


def test_the_median_of_runs_counts() -> None:
    p = program(chain((4, 8), node("Relu", "x", "y")))
    runs = [[marked(p, [[(0, ns)]])] for ns in (900, 300, 400)]
    assert rows(*runs)[0].ms == pytest.approx(400e-6)


def test_what_takes_no_rows_takes_no_time() -> None:
    p = program(classifier())
    [view] = [layer for layer in rows([marked(p, one_after_another(p, *[7] * len(p.rows)))]) if layer.name == "flat"]
    assert (view.algorithm, view.ms, view.share, view.gbs, view.idle) == ("view", 0, 0, 0, 0)


def test_a_node_in_python_has_a_time_and_no_counts() -> None:
    graph = chain((2, 3, 4), node("ArgMax", "x", "y", axis=1))
    mark = Mark(graph.nodes[0], graph, np.array([[[50, 2050]]], np.int64))
    [layer] = rows([mark])
    assert (layer.name, layer.output, layer.native, layer.algorithm) == ("y", "2x1x4", False, "reference")
    assert layer.ms == pytest.approx(2e-3)
    assert (layer.macs, layer.executed_macs, layer.nbytes) == (0, 0, 0)


def test_a_network_of_nothing() -> None:
    assert times([]).shape == (0, 2)
    assert list(works([])) == [] and rows([]) == ()
