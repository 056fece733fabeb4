"""Sessions and feeds for graphs, and graphs of which not all runs in one native call."""

import numpy as np

import tinycnn
from tests.planner.programs import chain, node
from tinycnn.ir import Graph


def session(graph: Graph, threads: int) -> tinycnn.InferenceSession:
    options = tinycnn.SessionOptions()
    options.intra_op_num_threads = threads
    return tinycnn.InferenceSession(graph, options)


def feed(graph: Graph, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(spec.dims, np.float32) for name, spec in graph.inputs.items()}


def in_python() -> Graph:
    return chain((2, 3, 4), node("Relu", "x", "a"), node("ArgMax", "a", "b", axis=1), node("Cast", "b", "y", to=1))


def of_unknown_size() -> Graph:
    nodes = [node("Relu", "x", "a"), node("NonZero", "a", "b"), node("Cast", "b", "c", to=1), node("Relu", "c", "y")]
    return chain((2, 3), *nodes)
