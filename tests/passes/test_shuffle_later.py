"""Shuffles of channels follow strided depthwise convolutions."""

import numpy as np
import pytest

from tests.numerics import EXACT
from tests.passes.network import Line, applied, bound, kinds, network, weights
from tinycnn.ops.activation import Activation
from tinycnn.ops.channel_shuffle import ChannelShuffle
from tinycnn.ops.conv import Conv
from tinycnn.ops.relu import Relu
from tinycnn.passes.shuffle_later import shuffle_later

SHAPES = {"x": (2, 12, 9, 8)}
CONSTANTS = {"w": weights(12, 1, 3, 3), "b": weights(12), "v": weights(12, 12, 1, 1), "u": weights(24, 1, 3, 3)}
STRIDED = Conv(strides=(2, 2), pads=(1, 1, 1, 1), group=12)
CLAMPED = Conv(strides=(1, 2), group=12, activation=Activation("clamp", 0.0, 6.0))


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 6, 12])
@pytest.mark.parametrize("conv, inputs", [(STRIDED, "s w b"), (STRIDED, "s w"), (CLAMPED, "s w b")], ids=str)
def test_it_follows(groups: int, conv: Conv, inputs: str) -> None:
    graph = network([("s", ChannelShuffle(groups), "x"), ("y", conv, inputs)], CONSTANTS, inputs=SHAPES)
    after = applied(shuffle_later, bound(graph), EXACT)
    assert kinds(after) == ["Conv", "ChannelShuffle"]
    assert after.specs[after.nodes[0].outputs[0]] == after.specs["y"]


@pytest.mark.parametrize(
    "lines, outputs",
    [
        ([("s", ChannelShuffle(3), "x"), ("y", STRIDED, "s w b")], "y s"),
        ([("s", ChannelShuffle(3), "x"), ("y", Conv(pads=(1, 1, 1, 1), group=12), "s w")], "y"),
        ([("s", ChannelShuffle(3), "x"), ("y", Conv(strides=(2, 2)), "s v")], "y"),
        ([("s", ChannelShuffle(3), "x"), ("y", Conv(strides=(2, 2), group=12), "s u")], "y"),
        ([("s", ChannelShuffle(3), "x"), ("r", Relu(), "s"), ("y", STRIDED, "r w")], "y"),
    ],
    ids=["read elsewhere", "no strides", "dense", "two outputs a channel", "something between"],
)
def test_it_stays(lines: list[Line], outputs: str) -> None:
    graph = bound(network(lines, CONSTANTS, inputs=SHAPES, outputs=outputs))
    assert shuffle_later(graph) is graph


def test_weights_follow_their_channels() -> None:
    w = np.arange(6.0).reshape(6, 1, 1, 1)
    lines: list[Line] = [("s", ChannelShuffle(2), "x"), ("y", Conv(strides=(2, 2), group=6), "s w")]
    after = shuffle_later(bound(network(lines, {"w": w}, inputs={"x": (1, 6, 2, 2)})))
    assert after.constants[after.nodes[0].inputs[1]].ravel().tolist() == [0, 2, 4, 1, 3, 5]
