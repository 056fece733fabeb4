"""Chains of constants per channel become one multiply-add."""

import numpy as np
import pytest

from tests.passes.network import Line, applied, bound, network, nodes, weights
from tinycnn.ops.add import Add
from tinycnn.ops.div import Div
from tinycnn.ops.mul import Mul
from tinycnn.ops.relu import Relu
from tinycnn.ops.scale_shift import ScaleShift
from tinycnn.ops.sub import Sub
from tinycnn.passes.recognise_scale_shift import recognise_scale_shift

CONSTANTS = {
    "s": np.float32(0.5), "c": weights(3, 1, 1), "d": weights(1, 3, 1, 1), "v": weights(3), "row": weights(5),
    "five": weights(2, 1, 3, 1, 1),
}  # fmt: skip


@pytest.mark.parametrize(
    "lines",
    [
        [("a", Mul(), "x s"), ("y", Add(), "a c")],
        [("a", Sub(), "c x"), ("b", Div(), "a d"), ("y", Mul(), "s b")],
        [("a", ScaleShift(), "x v v"), ("y", Sub(), "a c")],
    ],
)
def test_chains(lines: list[Line]) -> None:
    (line,) = nodes(applied(recognise_scale_shift, bound(network(lines, CONSTANTS))))
    assert line.startswith("y = ScaleShift(x, ")


@pytest.mark.parametrize(
    "lines, outputs",
    [
        ([("y", Mul(), "x c")], "y"),
        ([("a", Mul(), "x row"), ("y", Add(), "a c")], "y"),
        ([("a", Mul(), "x five"), ("y", Add(), "a s")], "y"),
        ([("a", Mul(), "x c"), ("y", Add(), "a x")], "y"),
        ([("a", Mul(), "x s"), ("y", Add(), "a c")], "y a"),
        ([("a", Mul(), "x s"), ("y", Add(), "a c"), ("z", Relu(), "a")], "y z"),
    ],
    ids=["alone", "along rows", "more axes", "no constant", "graph output", "two readers"],
)
def test_refusals(lines: list[Line], outputs: str) -> None:
    graph = bound(network(lines, CONSTANTS, outputs=outputs))
    assert recognise_scale_shift(graph) is graph
