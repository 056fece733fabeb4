"""Programs for CUDA, and what they are fed."""

import numpy as np
import pytest

from tests.planner.programs import classifier, convolutions, in_blocks, moves, node, normal, normalised, upwards
from tinycnn.ir import Graph, TensorSpec
from tinycnn.kernels.cuda.device import Device
from tinycnn.planner.choose import Options
from tinycnn.planner.lower import write
from tinycnn.planner.partition import infer_missing
from tinycnn.planner.program import Program
from tinycnn.planner.weights import WeightStore


def two_and_two() -> Graph:
    """Two inputs and two outputs, one of which is read again."""
    nodes = (node("Add", "x z", "sum"), node("Conv", "sum w", "y"))
    inputs = {"x": TensorSpec.f32(1, 4, 6, 6), "z": TensorSpec.f32(1, 4, 1, 1)}
    return infer_missing(Graph(inputs, ("y", "sum"), nodes, {"w": normal(4, 4, 1, 1)}))


GRAPHS = {f.__name__: f for f in (two_and_two, convolutions, classifier, normalised, moves, in_blocks, upwards)}
every_graph = pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)


def program(graph: Graph, store: WeightStore | None = None) -> Program:
    return write(graph, Options(Device(90, 4), 1), store or WeightStore())


def blocks(p: Program) -> list[np.ndarray]:
    return [b.weights for b in p.buffers if b.weights is not None]


def feeds(p: Program) -> list[np.ndarray]:
    return [normal(*port.spec.dims) for port in p.inputs]
