"""Elementwise functions are applied where their input is stored."""

import numpy as np
import pytest

from tests.numerics import EXACT
from tests.passes.network import Line, applied, bound, kinds, network, nodes, weights
from tinycnn.ops import Op
from tinycnn.ops.activation import Activation
from tinycnn.ops.add import Add
from tinycnn.ops.average_pool import AveragePool
from tinycnn.ops.clip import Clip
from tinycnn.ops.concat import Concat
from tinycnn.ops.conv import Conv
from tinycnn.ops.conv_transpose import ConvTranspose
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.leaky_relu import LeakyRelu
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.prelu import PRelu
from tinycnn.ops.relu import Relu
from tinycnn.ops.scale_shift import ScaleShift
from tinycnn.ops.sigmoid import Sigmoid
from tinycnn.ops.transpose import Transpose
from tinycnn.passes.fuse_activation import fuse_activation

CONSTANTS = {
    "w": weights(3, 3, 3, 2), "c": weights(3), "low": np.float32(-1), "high": np.float32(1),
    "one": np.array([0.25]), "three": np.array([0.1, 0.2, 0.3]).reshape(3, 1, 1),
}  # fmt: skip


@pytest.mark.parametrize(
    "op, read, shown",
    [
        (Relu(), "a", "clamp(0, inf)"),
        (Clip(), "a low high", "clamp(-1, 1)"),
        (Clip(), "a - high", "clamp(-inf, 1)"),
        (LeakyRelu(alpha=0.125), "a", "leaky_relu(0.125, 0)"),
        (Sigmoid(), "a", "sigmoid(0, 0)"),
        (PRelu(), "a one", "leaky_relu(0.25, 0)"),
    ],
    ids=str,
)
def test_functions(op: Op, read: str, shown: str) -> None:
    graph = network([("a", Conv(), "x w c"), ("y", op, read)], CONSTANTS)
    after = applied(fuse_activation, graph)
    assert nodes(after) == [f"y = Conv[activation={shown}](x, w, c)"]
    assert after.nodes[0].name == "a" and after.report[0].what == "fused"


@pytest.mark.parametrize(
    "op, read, known", [(ConvTranspose(), "x w", False), (ScaleShift(), "x c c", False), (Add(), "x x", True)], ids=str
)
def test_operators(op: Op, read: str, known: bool) -> None:
    graph = network([("a", op, read), ("y", Relu(), "a")], CONSTANTS)
    if known:
        assert fuse_activation(graph) is graph, "it may add integers"
        graph = bound(graph)
    assert nodes(applied(fuse_activation, graph, EXACT)) == [
        f"y = {op.kind}[activation=clamp(0, inf)]({read.replace(' ', ', ')})"
    ]


def test_only_one_function_fits() -> None:
    graph = network([("a", Conv(), "x w"), ("b", Relu(), "a"), ("y", Sigmoid(), "b")], CONSTANTS)
    assert nodes(applied(fuse_activation, graph)) == [
        "b = Conv[activation=clamp(0, inf)](x, w)",
        "y = Sigmoid(b)",
    ]
    assert fuse_activation(graph).nodes[0].op == Conv(activation=Activation("clamp", 0.0, float("inf")))


@pytest.mark.parametrize(
    "lines, outputs",
    [
        ([("a", Conv(), "x w"), ("y", Relu(), "a"), ("z", Sigmoid(), "a")], "y z"),
        ([("a", Conv(), "x w"), ("y", Relu(), "a")], "y a"),
        ([("a", Conv(), "x w"), ("y", PRelu(), "a three")], "y"),
        ([("y", Relu(), "x")], "y"),
    ],
    ids=["two readers", "graph output", "one slope per channel", "graph input"],
)
def test_refusals(lines: list[tuple[str, Op, str]], outputs: str) -> None:
    graph = network(lines, CONSTANTS, outputs=outputs)
    assert fuse_activation(graph) is graph


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([("a", Conv(), "x w"), ("b", MaxPool((2, 2)), "a"), ("y", Relu(), "b")], ["Conv", "MaxPool"]),
        ([("a", Conv(), "x w"), ("b", Flatten(), "a"), ("y", Sigmoid(), "b")], ["Conv", "Flatten"]),
        ([("a", Conv(), "x w"), ("b", Transpose(), "a"), ("y", Sigmoid(), "b")], ["Conv", "Transpose"]),
        (
            [("a", Conv(), "x w"), ("b", Conv(), "x w c"), ("d", Concat(1), "a b"), ("y", Relu(), "d")],
            ["Conv", "Conv", "Concat"],
        ),
    ],
    ids=["MaxPool", "Flatten", "Transpose", "Concat"],
)
def test_it_passes_through_what_only_moves_elements(lines: list[Line], expected: list[str]) -> None:
    after = applied(fuse_activation, network(lines, CONSTANTS))
    assert kinds(after) == expected and after.nodes[-1].outputs == ("y",)
    assert all(node.op.activation is not None for node in after.nodes if isinstance(node.op, Conv))


@pytest.mark.parametrize(
    "lines, outputs",
    [
        ([("a", Conv(), "x w"), ("b", MaxPool((2, 2)), "a"), ("y", LeakyRelu(-0.5), "b")], "y"),
        ([("a", Conv(), "x w"), ("b", MaxPool((2, 2)), "a"), ("y", Sigmoid(), "b")], "y"),
        ([("a", Conv(), "x w"), ("b", MaxPool((2, 2)), "a"), ("y", Relu(), "b")], "y a"),
        ([("a", Conv(), "x w"), ("d", Concat(1), "a a"), ("y", Relu(), "d")], "y"),
        ([("a", Conv(), "x w"), ("b", MaxPool((1, 1)), "x"), ("d", Concat(0), "a b"), ("y", Relu(), "d")], "y"),
        ([("a", Conv(), "x w"), ("b", AveragePool((2, 2)), "a"), ("y", Relu(), "b")], "y"),
    ],
    ids=["decreasing", "costly before a pool", "graph output", "twice the same", "a branch without room", "not a move"],
)
def test_it_stays_behind_other_operators(lines: list[Line], outputs: str) -> None:
    graph = network(lines, {**CONSTANTS, "w": weights(3, 3, 1, 1)}, outputs=outputs)
    assert fuse_activation(graph) is graph


def test_a_bound_that_is_no_constant() -> None:
    graph = network([("a", Conv(), "x w"), ("y", Clip(), "a u")], CONSTANTS, {"x": ("N", 3, 7, 5), "u": ()})
    assert fuse_activation(graph) is graph


def test_a_bound_of_more_than_one_number_is_left_to_be_refused() -> None:
    graph = network([("a", Conv(), "x w"), ("y", Clip(), "a low")], {**CONSTANTS, "low": weights(3)})
    assert fuse_activation(graph) is graph
