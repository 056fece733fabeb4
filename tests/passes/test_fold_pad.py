"""Windows pad for themselves."""

import numpy as np
import pytest

from tests.numerics import EXACT
from tests.passes.network import applied, network, nodes, weights
from tinycnn.ops import Op
from tinycnn.ops.average_pool import AveragePool
from tinycnn.ops.conv import Conv
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.pad import Pad
from tinycnn.ops.relu import Relu
from tinycnn.passes.fold_pad import fold_pad

CONSTANTS = {
    "w": weights(4, 3, 3, 2), "p": np.array([0, 0, 1, 2, 0, 0, 3, 0]), "one": np.array([0, 0, 1, 0, 0, 0, 1, 1]),
    "channel": np.array([0, 1, 1, 2, 0, 0, 3, 0]), "cut": np.array([0, 0, -1, 2, 0, 0, 3, 0]),
    "two": np.array([1, 2, 3, 0]), "axes": np.array([-2, 3]), "zero": np.float32(0), "v": np.float32(0.5),
    "inf": np.float32(-np.inf),
}  # fmt: skip


@pytest.mark.parametrize(
    "pad, op, expected",
    [
        ("x p", Conv(), "Conv[pads=(1, 2, 3, 0)]"),
        ("x p zero", Conv(pads=(1, 0, 0, 4), strides=(2, 1)), "Conv[strides=(2, 1), pads=(2, 2, 3, 4)]"),
        ("x two - axes", Conv(), "Conv[pads=(1, 2, 3, 0)]"),
        ("x one", AveragePool((2, 3)), "AveragePool[kernel_shape=(2, 3), pads=(1, 0, 1, 1), count_include_pad=1]"),
        (
            "x one", AveragePool((2, 3), pads=(1, 0, 0, 0), count_include_pad=1),
            "AveragePool[kernel_shape=(2, 3), pads=(2, 0, 1, 1), count_include_pad=1]",
        ),
        ("x one inf", MaxPool((2, 3)), "MaxPool[kernel_shape=(2, 3), pads=(1, 0, 1, 1)]"),
        ("r one", MaxPool((2, 3)), "MaxPool[kernel_shape=(2, 3), pads=(1, 0, 1, 1)]"),
    ],
)  # fmt: skip
def test_it_is_folded(pad: str, op: Op, expected: str) -> None:
    read = "a w" if isinstance(op, Conv) else "a"
    graph = network([("r", Relu(), "x"), ("a", Pad(), pad), ("y", op, read)], CONSTANTS)
    after = applied(fold_pad, graph, EXACT)
    assert nodes(after)[-1] == f"y = {expected}({read.replace('a', pad[0], 1).replace(' ', ', ')})"


@pytest.mark.parametrize(
    "pad, mode, op",
    [
        ("x p v", "constant", Conv()),
        ("x p", "edge", Conv()),
        ("x channel", "constant", Conv()),
        ("x cut", "constant", Conv()),
        ("x one", "constant", AveragePool((2, 3), pads=(1, 0, 0, 0))),
        ("x one", "constant", AveragePool((2, 3), ceil_mode=1)),
        ("x one", "constant", MaxPool((2, 3))),
        ("x p inf", "constant", MaxPool((2, 3))),
        ("x p p", "constant", Conv()),
    ],
)
def test_refusals(pad: str, mode: str, op: Op) -> None:
    constants = {**CONSTANTS, "w": weights(4, 4 if "channel" in pad else 3, 3, 2)}
    graph = network([("a", Pad(mode), pad), ("y", op, "a w" if isinstance(op, Conv) else "a")], constants)
    assert fold_pad(graph) is graph


def test_a_padded_value_that_is_read_elsewhere_stays() -> None:
    graph = network([("a", Pad(), "x p"), ("y", Conv(), "a w"), ("z", Relu(), "a")], CONSTANTS, outputs="y z")
    assert fold_pad(graph) is graph
