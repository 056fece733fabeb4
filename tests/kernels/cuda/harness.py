"""Runs one operator on its CUDA kernels, as planned, verified and executed: by the simulator, or on a device.

Tests that take the fixture-like argument `where` run in both places: parametrise them with `everywhere`.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from tests.kernels.cuda.simulated import SimulatedDevice
from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.kernels.cuda import driver
from tinycnn.kernels.cuda.device import PRECISIONS, TENSOR_CORES, Device, Precision
from tinycnn.kernels.cuda.driver import Backend, open_gpu
from tinycnn.kernels.cuda.tuning import Tile
from tinycnn.ops.op import Op
from tinycnn.planner.choose import Options, make_request
from tinycnn.planner.lower import write
from tinycnn.planner.program import Program
from tinycnn.planner.select import offers
from tinycnn.planner.weights import WeightStore
from tinycnn.runtime.executor_cuda import Executor

# One warp a block: the simulator has a thread of Python for each of a block.
SMALL = Tile(16, 32, 8, 4, 4)
SMALL_TENSOR = {precision: Tile(16, 16, 16, 16, 16, precision=precision) for precision in PRECISIONS[1:]}
PLACES = {"simulator": pytest.mark.cudasim, "gpu": pytest.mark.gpu}
everywhere = pytest.mark.parametrize("place", [pytest.param(name, marks=mark) for name, mark in PLACES.items()])


@dataclass(frozen=True)
class Case:
    """An operator on arrays; those whose numbers are in `constants` are weights."""

    graph: Graph
    feeds: dict[str, np.ndarray]


def case(op: Op, arrays: Sequence[np.ndarray | None], constants: Iterable[int] = ()) -> Case:
    names = ["" if a is None else f"x{i}" for i, a in enumerate(arrays)]
    weights: dict[str, np.ndarray] = {
        names[i]: a for i in constants if i < len(arrays) and (a := arrays[i]) is not None
    }
    feeds = {n: a for n, a in zip(names, arrays, strict=True) if a is not None and n not in weights}
    specs = [None if a is None else TensorSpec.of(a) for a in arrays]
    outputs = op.infer(specs, [weights.get(n) for n in names])
    assert outputs is not None
    results = tuple(f"y{i}" for i in range(len(outputs)))
    node = Node(op, tuple(names), results, "node")
    inputs = {n: TensorSpec.of(a) for n, a in feeds.items()}
    graph = Graph(inputs, results, (node,), weights, {**inputs, **dict(zip(results, outputs, strict=True))})
    return Case(graph, feeds)


@functools.cache
def backend(place: str) -> Backend:
    return open_gpu() if place == "gpu" else SimulatedDevice()


def device(place: str, precision: Precision = "f32") -> Device:
    """What to compile for. The simulator's is small, so that work is shared out over few blocks."""
    if place != "gpu":
        return Device(90, 4, precision)
    skip_without(precision)
    return driver.device(0, precision)


def skip_without(precision: Precision) -> None:
    """Skips a test on a GPU that does not have the precision."""
    gpu = open_gpu()
    if precision != "f32" and gpu.capability < TENSOR_CORES:
        pytest.skip(f"{gpu.title}, of compute capability {gpu.capability / 10}, does not have {precision}")


def algorithms(c: Case, target: Device) -> list[str]:
    """The algorithms that are offered for the case, each once."""
    [node] = c.graph.nodes
    request = make_request(c.graph, node, dict.fromkeys(c.feeds, "plain"), Options(target, 1))
    return list(dict.fromkeys(choice.algorithm for choice in offers(request)))


def plan(c: Case, place: str = "simulator", algorithm: str = "", precision: Precision = "f32") -> Program:
    """The verified program of one algorithm, or of the planner's choice."""
    options = Options(device(place, precision), 1, {"node": algorithm} if algorithm else {})
    return write(c.graph, options, WeightStore())


def run(c: Case, place: str = "simulator", algorithm: str = "", precision: Precision = "f32") -> list[np.ndarray]:
    """Outputs by one algorithm, or by the planner's choice. The feeds are as they were afterwards."""
    program = plan(c, place, algorithm, precision)
    results: list[np.ndarray] = Executor(program, backend(place)).run(list(c.feeds.values()))
    return results
