"""Parallel convolutions of one value become one, where the taps of one lie among the other's."""

from typing import Any

import numpy as np
import pytest

from tests.passes.network import Line, applied, kinds, network
from tinycnn.ops.add import Add
from tinycnn.ops.conv import Conv
from tinycnn.ops.relu import Relu
from tinycnn.ops.scale_shift import ScaleShift
from tinycnn.ops.sum import Sum
from tinycnn.passes.merge_branches import merge_branches

RNG = np.random.default_rng(0)


def weights(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


CONSTANTS = {
    "w5": weights(6, 6, 5, 5), "w3": weights(6, 6, 3, 3), "v3": weights(6, 6, 3, 3), "w1": weights(6, 6, 1, 1),
    "w2": weights(6, 6, 2, 2), "wide": weights(6, 6, 1, 3), "d3": weights(6, 1, 3, 3), "d1": weights(6, 1, 1, 1),
    "g3": weights(6, 2, 3, 3), "b": weights(6), "e": weights(6), "s": weights(6), "t": weights(6),
}  # fmt: skip
SHAPES = {"x": (2, 6, 9, 8)}
TWO = (2,) * 4
BATCH_NORM: Line = ("n", ScaleShift(), "x s t")


def same(kernel: int, **fields: Any) -> Conv:
    """A convolution whose output has the size of its input, for stride 1."""
    return Conv(pads=(kernel // 2,) * 4, **fields)


@pytest.mark.parametrize(
    "branches",
    [
        [("a", same(3), "x w3 b"), ("c", same(3), "x v3 e")],
        [("a", same(3), "x w3"), ("c", Conv(), "x w1 e")],
        [("a", Conv(), "x w1 b"), ("c", same(5), "x w5")],
        [("a", same(3), "x w3"), ("c", same(5), "x w5")],
        [("a", Conv(pads=(0, 1, 0, 1)), "x wide b"), ("c", same(3), "x w3")],
        [("a", same(3, strides=(2, 2)), "x w3 b"), ("c", Conv(strides=(2, 2)), "x w1")],
        [("a", Conv(pads=TWO, dilations=(2, 2)), "x w3"), ("c", Conv(), "x w1 b")],
        [("a", Conv(pads=(0, 0, 1, 1)), "x w2"), ("c", same(3), "x w3")],
        [("a", Conv(pads=(1, 1, 0, 0)), "x w2"), ("c", same(3), "x w3")],
        [("a", same(3), "x w3 b"), BATCH_NORM],
        [BATCH_NORM, ("a", Conv(), "x w1")],
        [("a", same(3, group=6), "x d3"), BATCH_NORM],
        [("a", same(3, group=3), "x g3 b"), BATCH_NORM],
    ],
    ids=["two alike", "3x3 and 1x1", "1x1 and 5x5", "3x3 and 5x5", "1x3 and 3x3", "stride 2", "dilated", "right",
         "left", "batch norm", "batch norm and 1x1", "depthwise and batch norm", "grouped and batch norm"],
)  # fmt: skip
def test_two_branches(branches: list[Line]) -> None:
    graph = network([*branches, ("y", Add(), f"{branches[0][0]} {branches[1][0]}")], CONSTANTS, inputs=SHAPES)
    assert kinds(applied(merge_branches, graph)) == ["Conv"]


def test_a_block_of_four_branches() -> None:
    depthwise = same(3, group=6)
    lines: list[Line] = [
        ("r", Relu(), "x"),
        ("a", depthwise, "r d3 b"),
        ("c", Conv(group=6), "r d1"),
        ("n", ScaleShift(), "r s t"),
        ("p", Add(), "n c"),
        ("q", Sum(), "p a"),
        ("f", depthwise, "r d3"),
        ("y", Add(), "q f"),
    ]
    assert kinds(applied(merge_branches, network(lines, CONSTANTS, inputs=SHAPES))) == ["Relu", "Conv"]


@pytest.mark.parametrize(
    "lines, outputs",
    [
        ([("a", same(3), "x w3"), ("r", Relu(), "x"), ("c", same(3), "r v3"), ("y", Add(), "a c")], "y"),
        ([("a", same(3), "x w3"), ("c", same(3), "x v3"), ("y", Add(), "a c")], "y c"),
        ([("a", same(3), "x w3"), ("y", Add(), "a a")], "y"),
        ([("a", same(3), "x w3"), ("y", Add(), "a x")], "y"),
        ([("a", same(3), "x w3"), ("c", same(3, group=6), "x d3"), ("y", Add(), "a c")], "y"),
        ([("a", Conv(pads=TWO, dilations=(2, 2)), "x w3"), ("c", same(5), "x w5"), ("y", Add(), "a c")], "y"),
        ([("a", Conv(pads=TWO, dilations=(2, 2)), "x w3"), ("c", same(3), "x v3"), ("y", Add(), "a c")], "y"),
        ([("a", Conv(pads=(0, 2, 2, 0)), "x w3"), ("c", Conv(pads=(2, 0, 0, 2)), "x v3"), ("y", Add(), "a c")], "y"),
        ([BATCH_NORM, ("a", ScaleShift(), "x s t"), ("y", Add(), "n a")], "y"),
        ([BATCH_NORM, ("a", same(3), "x w3"), ("r", Relu(), "a"), ("y", Add(), "n r")], "y"),
    ],
    ids=["other values", "read elsewhere", "twice the same", "shortcut", "other groups", "other dilations",
         "taps between", "shifted", "no convolution", "function between"],
)  # fmt: skip
def test_what_stays(lines: list[Line], outputs: str) -> None:
    graph = network(lines, CONSTANTS, inputs=SHAPES, outputs=outputs)
    assert merge_branches(graph) is graph


def test_a_branch_of_one_channel_that_is_broadcast_stays() -> None:
    lines: list[Line] = [("a", same(3), "x w3"), ("c", same(3), "x one"), ("y", Add(), "a c")]
    graph = network(lines, CONSTANTS | {"one": weights(1, 6, 3, 3)}, inputs=SHAPES)
    assert merge_branches(graph) is graph
