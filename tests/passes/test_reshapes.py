"""Reshapes merge, transpositions cancel, and shuffles of channels are found."""

import numpy as np
import pytest

from tests.numerics import EXACT
from tests.passes.network import Line, applied, bound, kinds, network, nodes, weights
from tinycnn.ops import Op
from tinycnn.ops.add import Add
from tinycnn.ops.average_pool import AveragePool
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.mul import Mul
from tinycnn.ops.reduce_max import ReduceMax
from tinycnn.ops.reduce_mean import ReduceMean
from tinycnn.ops.relu import Relu
from tinycnn.ops.reshape import Reshape
from tinycnn.ops.shapes import Shape
from tinycnn.ops.sigmoid import Sigmoid
from tinycnn.ops.softmax import Softmax
from tinycnn.ops.squeeze import Squeeze
from tinycnn.ops.transpose import Transpose
from tinycnn.ops.unsqueeze import Unsqueeze
from tinycnn.passes.cancel_transposes import cancel_transposes
from tinycnn.passes.merge_reshapes import merge_reshapes
from tinycnn.passes.recognise_global_pool import recognise_global_pool
from tinycnn.passes.recognise_shuffle import recognise_shuffle

CONSTANTS = {
    "minus": np.array([0, -1]), "end": np.array([2, 3]), "front": np.array([0]), "last": np.array([-1]),
    "third": np.array([2]), "channel": np.array([1]), "whole": np.array([2, 3, 7, 5]), "half": np.float32(0.5),
    "vector": weights(3), "map": weights(7, 1), "flat": np.array([2, 105]),
    "other": np.array([2, 7, 15]),
}  # fmt: skip
MEAN = ReduceMean(keepdims=0)
MAP = {"x": ("N", 3, 1, 1)}


@pytest.mark.parametrize(
    "lines, expected, inputs",
    [
        (
            [("a", Squeeze(), "x end"), ("b", Unsqueeze(), "a end"), ("y", Flatten(), "b")],
            "y = Reshape(x, shape.2x3)",
            MAP,
        ),
        ([("y", Reshape(), "x minus")], "y = Reshape(x, shape.2x105)", None),
        ([("y", Reshape(), "x flat")], "y = Reshape(x, flat)", None),
        ([("a", Reshape(), "x minus"), ("y", Reshape(), "a whole")], "y = Identity(x)", None),
        ([("y", Transpose((0, 2, 3, 1)), "x")], "y = Reshape(x, shape.2x1x1x3)", MAP),
        ([("y", Transpose((0, 2, 3, 1)), "x")], "y = Transpose[perm=(0, 2, 3, 1)](x)", None),
    ],
)
def test_reshapes_merge(lines: list[Line], expected: str, inputs: dict[str, tuple[int | str, ...]] | None) -> None:
    graph = bound(network(lines, CONSTANTS, inputs))
    if expected == "y = Identity(x)":
        graph = bound(network([("r", Relu(), "x"), *((m, op, r.replace("x", "r")) for m, op, r in lines)], CONSTANTS))
        expected = "y = Relu(x)"
    assert nodes(applied(merge_reshapes, graph, EXACT)) == [expected]


def test_a_reshape_that_is_read_elsewhere_stays_for_its_reader() -> None:
    graph = bound(
        network([("a", Flatten(), "x"), ("z", Relu(), "a"), ("y", Reshape(), "a other")], CONSTANTS, outputs="z y")
    )
    assert nodes(applied(merge_reshapes, graph, EXACT)) == [
        "a = Reshape(x, shape.2x105)", "z = Relu(a)", "y = Reshape(x, other)",
    ]  # fmt: skip


TO_NHWC, TO_NCHW = Transpose((0, 2, 3, 1)), Transpose((0, 3, 1, 2))


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([("a", TO_NHWC, "x"), ("b", TO_NCHW, "a"), ("y", Relu(), "b")], ["y = Relu(x)"]),
        ([("a", TO_NHWC, "x"), ("y", Transpose((0, 2, 1, 3)), "a")], ["y = Transpose[perm=(0, 3, 2, 1)](x)"]),
        ([("a", TO_NHWC, "x"), ("b", Relu(), "a"), ("y", TO_NCHW, "b")], ["y = Relu(x)"]),
        (
            [
                ("a", TO_NHWC, "x"), ("b", Relu(), "a"), ("c", Mul(), "b half"), ("d", TO_NHWC, "x"),
                ("e", Add(), "d c"), ("f", TO_NCHW, "e"), ("y", Softmax(1), "f"),
            ],
            [
                "b.transposed = Relu(x)", "c.transposed = Mul(b.transposed, half)",
                "e.transposed = Add(x, c.transposed)", "y = Softmax[axis=1](e.transposed)",
            ],
        ),
        (
            [("a", TO_NHWC, "x"), ("b", TO_NCHW, "a"), ("y", Relu(), "b"), ("z", Relu(), "a")],
            ["a = Transpose[perm=(0, 2, 3, 1)](x)", "y = Relu(x)", "z = Relu(a)"],
        ),
    ],
    ids=["pair", "composed", "around a function", "around arithmetic", "also read elsewhere"],
)  # fmt: skip
def test_transpositions_cancel(lines: list[Line], expected: list[str]) -> None:
    graph = bound(network(lines, CONSTANTS, outputs="y z" if lines[-1][0] == "z" else "y"))
    assert nodes(applied(cancel_transposes, graph, EXACT)) == expected


@pytest.mark.parametrize(
    "lines, outputs",
    [
        ([("a", TO_NHWC, "x"), ("b", Relu(), "a"), ("y", TO_NCHW, "b"), ("z", Relu(), "b")], "y z"),
        ([("a", TO_NHWC, "x"), ("b", Relu(), "a"), ("y", TO_NCHW, "b")], "y b"),
        ([("a", TO_NHWC, "x"), ("b", Add(), "a vector"), ("y", TO_NCHW, "b")], "y"),
        ([("a", TO_NHWC, "x"), ("b", Softmax(), "a"), ("y", TO_NCHW, "b")], "y"),
        ([("b", Relu(), "x"), ("y", TO_NCHW, "b")], "y"),
    ],
    ids=["two readers", "graph output", "broadcast", "along an axis", "alone"],
)
def test_transpositions_that_stay(lines: list[Line], outputs: str) -> None:
    graph = bound(network(lines, CONSTANTS, outputs=outputs))
    assert cancel_transposes(graph) is graph


def test_long_expressions_are_no_danger() -> None:
    lines: list[Line] = [("v0", TO_NHWC, "x"), *((f"v{i + 1}", Relu(), f"v{i}") for i in range(5000))]
    graph = bound(network([*lines, ("y", TO_NCHW, "v5000")]))
    assert cancel_transposes(graph) is graph


@pytest.mark.parametrize(
    "x, mid, perm, y, expected",
    [
        ((2, 6, 3, 5), (2, 2, 3, 3, 5), (0, 2, 1, 3, 4), (2, 6, 3, 5), ["ChannelShuffle[group=2]"]),
        ((2, 6, 3, 5), (2, 3, 2, 15), (0, 2, 1, 3), (2, 6, 3, 5), ["ChannelShuffle[group=3]"]),
        ((1, 6, 3, 5), (3, 2, 15), (1, 0, 2), (2, 1, 3, 3, 5), ["ChannelShuffle[group=3]", "Reshape"]),
        ((1, 6, 1, 1), (1, 3, 2, 1, 1), (0, 2, 1, 3, 4), (1, 6, 1, 1), ["ChannelShuffle[group=3]"]),
        ((2, 6, 1, 1), (2, 3, 2, 1), (0, 2, 1, 3), (2, 6, 1, 1), ["ChannelShuffle[group=3]"]),
        ((2, 6, 7), (2, 3, 2, 7), (0, 2, 1, 3), (2, 6, 7), ["ChannelShuffle[group=3]"]),
        ((2, 12, 3, 5), (2, 3, 2, 2, 3, 5), (0, 1, 4, 2, 5, 3), (2, 3, 6, 10), ["DepthToSpace[blocksize=2, mode=CRD]"]),
        ((2, 12, 3, 5), (2, 2, 2, 3, 3, 5), (0, 3, 4, 1, 5, 2), (2, 3, 6, 10), ["DepthToSpace[blocksize=2]"]),
        ((2, 3, 6, 9), (2, 3, 2, 3, 3, 3), (0, 3, 5, 1, 2, 4), (2, 27, 2, 3), ["SpaceToDepth[blocksize=3]"]),
        ((2, 6, 3, 5), (2, 2, 3, 5, 3), (0, 2, 1, 3, 4), (2, 6, 3, 5), ["ChannelShuffle[group=2]"]),
        ((2, 6, 3, 5), (2, 6, 5, 3), (0, 1, 3, 2), (2, 6, 3, 5), None),
        ((2, 6, 3, 5), (2, 3, 6, 5), (0, 2, 1, 3), (2, 6, 3, 5), None),
        ((2, 6, 3, 5), (3, 2, 2, 15), (0, 2, 1, 3), (2, 6, 3, 5), None),
        ((2, 12, 3, 5), (2, 3, 4, 1, 3, 5), (0, 1, 4, 2, 5, 3), (2, 3, 12, 5), None),
    ],
)
def test_shuffles(x: Shape, mid: Shape, perm: Shape, y: Shape, expected: list[str] | None) -> None:
    lines: list[Line] = [("a", Reshape(), "x s"), ("b", Transpose(perm), "a"), ("y", Reshape(), "b t")]
    graph = bound(network(lines, {"s": np.array(mid), "t": np.array(y)}, {"x": x}))
    if expected is None:
        assert recognise_shuffle(graph) is graph
    else:
        found = [line.split(" = ")[1].split("(")[0] for line in nodes(applied(recognise_shuffle, graph, EXACT))]
        assert found == expected


@pytest.mark.parametrize("outputs", ["y a", "y b"])
def test_a_shuffle_that_is_read_elsewhere_stays(outputs: str) -> None:
    lines: list[Line] = [("a", Reshape(), "x s"), ("b", Transpose((0, 2, 1, 3, 4)), "a"), ("y", Reshape(), "b t")]
    constants = {"s": np.array([2, 2, 3, 3, 5]), "t": np.array([2, 6, 3, 5])}
    graph = bound(network(lines, constants, {"x": (2, 6, 3, 5)}, outputs))
    assert recognise_shuffle(graph) is graph


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([("y", ReduceMean(), "x end")], ["GlobalAveragePool"]),
        ([("y", MEAN, "x end")], ["GlobalAveragePool", "Flatten"]),
        ([("a", MEAN, "x last"), ("y", MEAN, "a last")], ["GlobalAveragePool", "Flatten"]),
        ([("a", MEAN, "x third"), ("y", MEAN, "a third")], ["GlobalAveragePool", "Flatten"]),
        ([("a", ReduceMean(), "x third"), ("y", ReduceMean(), "a last")], ["GlobalAveragePool"]),
        ([("y", ReduceMax(), "x end")], ["GlobalMaxPool"]),
        ([("y", AveragePool((7, 5), (3, 3), count_include_pad=1), "x")], ["GlobalAveragePool"]),
        ([("y", MaxPool((7, 5)), "x")], ["GlobalMaxPool"]),
        ([("y", AveragePool((7, 4), (1, 2)), "x")], ["AveragePool"]),
        ([("y", AveragePool((7, 5), (9, 9), (1, 1, 1, 1)), "x")], ["AveragePool"]),
        ([("y", ReduceMean(), "x channel")], ["ReduceMean"]),
        ([("y", ReduceMean(), "x")], ["ReduceMean"]),
        ([("a", MEAN, "x last"), ("y", MEAN, "a channel")], ["ReduceMean", "ReduceMean"]),
        ([("a", MEAN, "x last"), ("y", ReduceMean(), "a last")], ["ReduceMean", "ReduceMean"]),
    ],
)  # fmt: skip
def test_global_pools(lines: list[tuple[str, Op, str]], expected: list[str]) -> None:
    graph = bound(network(lines, CONSTANTS))
    assert kinds(applied(recognise_global_pool, graph)) == expected


def test_one_of_two_means_is_an_output() -> None:
    lines: list[Line] = [("a", MEAN, "x last"), ("y", MEAN, "a last")]
    graph = bound(network([*lines, ("z", Sigmoid(), "a")], CONSTANTS, outputs="y z"))
    assert recognise_global_pool(graph) is graph
