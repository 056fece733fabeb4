"""The shortcut of a residual block is added where the convolution is stored."""

import pytest

from tests.passes.network import Line, applied, bound, network, nodes, weights
from tinycnn.ops.activation import Activation
from tinycnn.ops.add import Add
from tinycnn.ops.conv import Conv
from tinycnn.ops.relu import Relu
from tinycnn.ops.sum import Sum
from tinycnn.passes.fuse_residual import fuse_residual

RELU = Activation("clamp", 0.0, float("inf"))
SAME = Conv(pads=(1, 1, 1, 1))
CONSTANTS = {"w": weights(3, 3, 3, 3), "b": weights(3), "u": weights(3, 3, 1, 1), "c": weights(2, 3, 7, 5)}


@pytest.mark.parametrize(
    "lines, expected",
    [
        (
            [("a", SAME, "x w b"), ("y", Add(activation=RELU), "a x")],
            ["y = Conv[pads=(1, 1, 1, 1), activation=clamp(0, inf)](x, w, b, x)"],
        ),
        ([("a", SAME, "x w"), ("y", Add(), "x a")], ["y = Conv[pads=(1, 1, 1, 1)](x, w, , x)"]),
        ([("a", SAME, "x w"), ("y", Sum(), "x a")], ["y = Conv[pads=(1, 1, 1, 1)](x, w, , x)"]),
        (
            [("a", SAME, "x w"), ("r", Relu(), "x"), ("y", Add(), "a r")],
            ["r = Relu(x)", "y = Conv[pads=(1, 1, 1, 1)](x, w, , r)"],
        ),
        (
            [("a", SAME, "x w"), ("s", Conv(), "x u"), ("y", Add(), "a s")],
            ["a = Conv[pads=(1, 1, 1, 1)](x, w)", "y = Conv(x, u, , a)"],
        ),
    ],
    ids=["with bias", "on the right", "sum", "operand computed later", "two convolutions"],
)
def test_it_is_added(lines: list[Line], expected: list[str]) -> None:
    assert nodes(applied(fuse_residual, bound(network(lines, CONSTANTS)))) == expected


@pytest.mark.parametrize(
    "lines, outputs",
    [
        ([("a", SAME, "x w"), ("z", Relu(), "a"), ("y", Add(), "a x")], "y z"),
        ([("a", SAME, "x w"), ("y", Add(), "a x")], "y a"),
        ([("a", SAME, "x w"), ("y", Add(), "a a")], "y"),
        ([("a", Conv(pads=(1, 1, 1, 1), activation=RELU), "x w"), ("y", Add(), "a x")], "y"),
        ([("a", SAME, "x w - x"), ("y", Add(), "a x")], "y"),
        ([("a", SAME, "x w"), ("y", Add(), "a b2")], "y"),
    ],
    ids=["two readers", "graph output", "doubled", "activation before", "residual before", "broadcast"],
)
def test_refusals(lines: list[Line], outputs: str) -> None:
    graph = bound(network(lines, {**CONSTANTS, "b2": weights(3, 1, 1)}, outputs=outputs))
    assert fuse_residual(graph) is graph


def test_shapes_must_be_known() -> None:
    graph = network([("a", SAME, "x w"), ("y", Add(), "a x")], CONSTANTS)
    assert fuse_residual(graph) is graph
