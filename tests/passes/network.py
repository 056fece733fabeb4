"""Small graphs, written as they are read, and the comparison of what they mean before and after a pass."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.interpreter import evaluate
from tests.numerics import ROUNDING, Level, assert_close
from tinycnn import passes
from tinycnn.ir import Graph, Node, TensorSpec, text, verify
from tinycnn.ops import Op
from tinycnn.passes.bind import bind

Line = tuple[str, Op, str]


def network(
    lines: Sequence[Line],
    constants: dict[str, Any] | None = None,
    inputs: dict[str, tuple[int | str, ...]] | None = None,
    outputs: str = "y",
) -> Graph:
    """A graph of lines (outputs, operator, inputs), names separated by blanks and "-" for an absent one.

    Nodes are called after their first output. Constants that are floats become float32; the input is x [N, 3, H, W]
    unless others are given.
    """
    named = {name: np.asarray(value) for name, value in (constants or {}).items()}
    named = {name: a.astype(np.float32) if a.dtype == np.float64 else a for name, a in named.items()}
    nodes = [Node(op, names(read), names(made), names(made)[0]) for made, op, read in lines]
    shapes = inputs or {"x": ("N", 3, "H", "W")}
    graph = Graph({k: TensorSpec.f32(*v) for k, v in shapes.items()}, names(outputs), tuple(nodes), named)
    return verify(graph)


def names(line: str) -> tuple[str, ...]:
    return tuple("" if name == "-" else name for name in line.split())


def nodes(graph: Graph) -> list[str]:
    """The lines of the graph's text that are nodes."""
    return [line for line in text(graph).splitlines() if " = " in line]


def kinds(graph: Graph) -> list[str]:
    return [node.kind for node in graph.nodes]


def applied(rewrite: passes.Pass, graph: Graph, level: Level | None = None, seed: int = 0, **shapes: Any) -> Graph:
    """The graph after the pass, verified, and proven to compute the same from random inputs of these shapes.

    level  of the outputs, relative to the greatest of each; None: ROUNDING(64), which a few layers stay below
    """
    after = verify(rewrite(graph), rewrite.__name__)
    same_meaning(graph, after, level, seed, **shapes)
    assert after.outputs == graph.outputs and after.inputs == graph.inputs
    return after


def same_meaning(before: Graph, after: Graph, level: Level | None = None, seed: int = 0, **shapes: Any) -> None:
    random = np.random.default_rng(seed)
    feeds = {}
    for name, spec in before.inputs.items():
        feeds[name] = random.standard_normal(shapes.get(name, concrete(spec))).astype(np.float32)
    truth, found = evaluate(before, feeds), evaluate(after, feeds)
    for name in before.outputs:
        scale = float(np.abs(truth[name]).max(initial=0)) if level is None else None
        assert_close(found[name], truth[name], level or ROUNDING(64), scale)


def concrete(spec: TensorSpec) -> tuple[int, ...]:
    """A shape with unequal sizes for the symbols."""
    sizes = {"N": 2, "H": 7, "W": 5}
    return tuple(sizes[d] if isinstance(d, str) else d for d in spec.shape or ())


def bound(graph: Graph) -> Graph:
    return bind(graph, {name: concrete(spec) for name, spec in graph.inputs.items()})


def weights(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
