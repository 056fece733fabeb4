"""A 1x1 convolution with large results joins the depthwise one that reads them."""

import sys

import pytest

from tests.numerics import EXACT
from tests.passes.network import Line, applied, bound, kinds, network, weights
from tinycnn.ir import Graph
from tinycnn.ops.activation import Activation
from tinycnn.ops.conv import Conv
from tinycnn.ops.expanded_conv import ExpandedConv
from tinycnn.ops.relu import Relu
from tinycnn.passes.fuse_expansion import fuse_expansion

SHAPES = {"x": (2, 12, 9, 8), "v": (40, 1, 3, 3)}
CONSTANTS = {
    "e": weights(40, 12, 1, 1), "eb": weights(40), "e3": weights(40, 12, 3, 3), "w": weights(40, 1, 3, 3),
    "b": weights(40), "w2": weights(80, 1, 3, 3), "dense": weights(7, 40, 1, 1), "r": weights(2, 40, 9, 8),
}  # fmt: skip
CLAMP = Activation("clamp", 0.0, 6.0)
FIRST: Line = ("a", Conv(activation=CLAMP), "x e eb")
SECOND: Line = ("y", Conv(strides=(2, 2), pads=(1, 1, 1, 1), group=40), "a w b")


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[fuse_expansion.__module__], "LEAST_BYTES", 4 * 40 * 9 * 8)


def graph(lines: list[Line], outputs: str = "y", shapes: dict = SHAPES) -> Graph:
    return bound(network(lines, CONSTANTS, shapes, outputs))


@pytest.mark.parametrize("first", ["x e", "x e eb"])
@pytest.mark.parametrize("second", ["a w", "a w b"])
def test_they_join(first: str, second: str) -> None:
    after = applied(fuse_expansion, graph([("a", FIRST[1], first), ("y", SECOND[1], second)]), EXACT)
    [node] = after.nodes
    assert node.op == ExpandedConv(FIRST[1], SECOND[1]) and node.name == "y"
    assert node.inputs == ("x", "e", "w", first[4:], second[4:])


@pytest.mark.parametrize(
    "lines, outputs",
    [
        ([FIRST, SECOND], "y a"),
        ([FIRST, SECOND, ("z", Relu(), "a")], "y z"),
        ([("a", Conv(strides=(2, 2)), "x e"), SECOND], "y"),
        ([("a", Conv(pads=(1, 1, 1, 1)), "x e"), SECOND], "y"),
        ([("a", Conv(pads=(1, 1, 1, 1)), "x e3"), SECOND], "y"),
        ([("a", Conv(), "x e - r"), SECOND], "y"),
        ([FIRST, ("y", Conv(), "a dense")], "y"),
        ([FIRST, ("y", Conv(group=40), "a w2")], "y"),
        ([FIRST, ("y", Conv(group=40, pads=(1, 1, 1, 1)), "a w - r")], "y"),
        ([FIRST, ("c", Relu(), "a"), ("y", Conv(group=40), "c w")], "y"),
        ([FIRST, ("y", Conv(group=40), "a v")], "y"),
    ],
    ids=[
        "asked for", "read elsewhere", "strided", "padded", "3x3", "residual before", "dense", "two outputs a channel",
        "residual after", "something between", "weights that are fed",
    ],
)  # fmt: skip
def test_they_stay_apart(lines: list[Line], outputs: str) -> None:
    before = graph(lines, outputs)
    assert fuse_expansion(before) is before


def test_small_ones_stay_apart() -> None:
    before = graph([FIRST, SECOND], shapes={"x": (2, 12, 9, 7)})
    assert fuse_expansion(before) is before and kinds(before) == ["Conv", "Conv"]


def test_of_three_the_first_two_join() -> None:
    lines: list[Line] = [
        FIRST, ("c", Conv(group=40, pads=(1, 1, 1, 1)), "a w"), ("y", Conv(group=40, pads=(1, 1, 1, 1)), "c w")
    ]  # fmt: skip
    assert kinds(applied(fuse_expansion, graph(lines), EXACT)) == ["ExpandedConv", "Conv"]


@pytest.mark.parametrize(
    "attributes, kernel, rows",
    [({}, 3, 2), ({"strides": (2, 1)}, 3, 1), ({"dilations": (3, 1)}, 3, 6), ({"strides": (3, 3)}, 3, 0), ({}, 1, 0)],
)
def test_where_too_much_is_computed_twice_they_stay_apart(
    attributes: dict, kernel: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 12 channels and rows of 8 pixels."""
    constants = CONSTANTS | {"w": weights(40, 1, kernel, 1)}
    before = bound(network([FIRST, ("y", Conv(group=40, **attributes), "a w")], constants, SHAPES))
    price = rows * 12 * 28 * 8
    module = sys.modules[fuse_expansion.__module__]
    monkeypatch.setattr(module, "MOST_TWICE", price)
    assert kinds(applied(fuse_expansion, before, EXACT)) == ["ExpandedConv"]
    monkeypatch.setattr(module, "MOST_TWICE", price - 1)
    assert fuse_expansion(before) is before
