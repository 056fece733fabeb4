"""Native stretches, and what runs in Python between them: in order, and cut as seldom as possible."""

from collections.abc import Iterator

import numpy as np

from tests.planner.programs import chain, node, normal
from tinycnn.ir import Graph, TensorSpec
from tinycnn.kernels.cpu import isa
from tinycnn.planner.choose import Options
from tinycnn.planner.partition import Call, Rest, Stretch, partition

OPTIONS = Options(isa.current(), 1)


def parts(graph: Graph) -> list[str]:
    """Each part in short: the outputs of its nodes, `!` before a call, `?` before what is planned later."""
    return [f"{mark}{' '.join(names)}" for mark, names in described(graph)]


def described(graph: Graph) -> Iterator[tuple[str, list[str]]]:
    for part in partition(graph, [OPTIONS]):
        if isinstance(part, Call):
            yield "!", list(part.node.outputs)
        else:
            assert isinstance(part, Stretch | Rest)
            yield "?" if isinstance(part, Rest) else "", [name for n in part.graph.nodes for name in n.outputs]


def test_what_has_kernels_is_one_stretch() -> None:
    graph = chain((1, 3, 8, 9), node("Conv", "x w", "a"), node("Relu", "a", "y"), w=normal(4, 3, 1, 1))
    assert parts(graph) == ["a y"]


def test_a_call_cuts_only_what_depends_on_it() -> None:
    graph = chain(
        (2, 3, 4),
        node("Relu", "x", "a"), node("ArgMax", "a", "i", axis=1), node("Sigmoid", "x", "b"),
        node("Cast", "i", "c", to=1), node("Add", "b c", "y"),
    )  # fmt: skip
    assert parts(graph) == ["a b", "!i", "!c", "y"]


def test_calls_side_by_side_share_the_stretches_around_them() -> None:
    graph = chain(
        (2, 3, 4),
        node("ArgMax", "x", "i", axis=1), node("Cast", "i", "a", to=1), node("ArgMin", "x", "j", axis=1),
        node("Cast", "j", "b", to=1), node("Relu", "a", "c"), node("Relu", "b", "d"), node("Add", "c d", "y"),
    )  # fmt: skip
    assert parts(graph) == ["!i", "!a", "!j", "!b", "c d y"]


def test_shapes_that_depend_on_numbers_are_planned_later() -> None:
    graph = chain((2, 3), node("Relu", "x", "a"), node("NonZero", "a", "i"), node("Relu", "x", "y"))
    graph = graph.replace(nodes=(*graph.nodes[:2], node("Cast", "i", "c", to=1), graph.nodes[2]), outputs=("c", "y"))
    assert parts(graph) == ["a y", "!i", "?c"]


def test_an_empty_tensor_is_left_to_python() -> None:
    assert parts(chain((0, 3), node("Relu", "x", "y"))) == ["!y"]


def test_integers_are_left_to_python() -> None:
    graph = Graph({"x": TensorSpec((2, 3), np.dtype(np.int64))}, ("y",), (node("Add", "x x", "y"),))
    assert parts(graph) == ["!y"]
