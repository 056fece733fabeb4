"""Activations that exporters spell out are found again."""

import numpy as np
import pytest

from tests.numerics import EXACT
from tests.passes.network import Line, applied, network, nodes
from tinycnn.ops.add import Add
from tinycnn.ops.clip import Clip
from tinycnn.ops.div import Div
from tinycnn.ops.erf import Erf
from tinycnn.ops.hard_sigmoid import HardSigmoid
from tinycnn.ops.max import Max
from tinycnn.ops.min import Min
from tinycnn.ops.mul import Mul
from tinycnn.ops.relu import Relu
from tinycnn.ops.sigmoid import Sigmoid
from tinycnn.ops.softplus import Softplus
from tinycnn.ops.tanh import Tanh
from tinycnn.passes.recognise_clip import recognise_clip
from tinycnn.passes.recognise_gelu import recognise_gelu
from tinycnn.passes.recognise_swish import recognise_swish

CONSTANTS = {
    "zero": np.float32(0), "three": np.float32(3), "six": np.float32(6), "sixth": np.float32(1 / 6),
    "two": np.float32(2), "low": np.float32(-1), "map": np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
}  # fmt: skip
GATE: list[Line] = [("a", Add(), "x three"), ("b", Clip(), "a zero six")]


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([("s", Sigmoid(), "x"), ("y", Mul(), "x s")], "y = Swish(x)"),
        ([("s", Sigmoid(), "x"), ("y", Mul(), "s x")], "y = Swish(x)"),
        ([("s", HardSigmoid(1 / 6, 0.5), "x"), ("y", Mul(), "x s")], "y = HardSwish(x)"),
        ([("s", Softplus(), "x"), ("t", Tanh(), "s"), ("y", Mul(), "x t")], "y = Mish(x)"),
        ([*GATE, ("y", Div(), "b six")], "y = HardSigmoid[alpha=0.16666666666666666](x)"),
        ([*GATE, ("c", Div(), "b six"), ("y", Mul(), "x c")], "y = HardSwish(x)"),
        ([*GATE, ("c", Mul(), "b sixth"), ("y", Mul(), "x c")], "y = HardSwish(x)"),
        ([*GATE, ("c", Mul(), "x b"), ("y", Div(), "c six")], "y = HardSwish(x)"),
        ([*GATE, ("c", Mul(), "b x"), ("y", Mul(), "sixth c")], "y = HardSwish(x)"),
    ],
    ids=["x s", "s x", "hard", "mish", "gate alone", "gate / 6", "gate * 1/6", "product / 6", "1/6 * product"],
)
def test_gates(lines: list[Line], expected: str) -> None:
    assert nodes(applied(recognise_swish, network(lines, CONSTANTS))) == [expected]


@pytest.mark.parametrize(
    "lines, outputs",
    [
        ([("s", Sigmoid(), "x"), ("y", Mul(), "x s"), ("z", Relu(), "s")], "y z"),
        ([("s", Sigmoid(), "x"), ("y", Mul(), "x s")], "y s"),
        ([("r", Relu(), "x"), ("s", Sigmoid(), "r"), ("y", Mul(), "x s")], "y"),
        ([("s", HardSigmoid(), "x"), ("y", Mul(), "x s")], "y"),
        ([*GATE, ("y", Div(), "b two")], "y"),
    ],
    ids=["two readers", "graph output", "gate of another value", "another slope", "another divisor"],
)
def test_what_is_no_gate(lines: list[Line], outputs: str) -> None:
    graph = network(lines, CONSTANTS, outputs=outputs)
    assert recognise_swish(graph) is graph


GELU = {"root": np.float32(2**0.5), "inverse": np.float32(0.5**0.5), "one": np.float32(1), "half": np.float32(0.5)}
ERF: list[Line] = [("a", Div(), "x root"), ("b", Erf(), "a"), ("c", Add(), "b one")]


@pytest.mark.parametrize(
    "lines",
    [
        [*ERF, ("d", Mul(), "x c"), ("y", Mul(), "d half")],
        [*ERF, ("d", Mul(), "c half"), ("y", Mul(), "d x")],
        [("h", Mul(), "half x"), *ERF, ("y", Mul(), "c h")],
        [
            ("a", Mul(), "inverse x"),
            ("b", Erf(), "a"),
            ("c", Add(), "one b"),
            ("d", Mul(), "c x"),
            ("y", Mul(), "half d"),
        ],
        [("r", Relu(), "x"), ("a", Div(), "r root"), *ERF[1:], ("d", Mul(), "r c"), ("y", Mul(), "d half")],
    ],
    ids=["product halved", "gate halved", "x halved", "by the inverse", "of what is computed"],
)
def test_gelu(lines: list[Line]) -> None:
    assert nodes(applied(recognise_gelu, network(lines, GELU)))[-1].startswith("y = Gelu(")


@pytest.mark.parametrize(
    "lines, outputs",
    [
        ([*ERF, ("d", Mul(), "x c"), ("y", Mul(), "d one")], "y"),
        ([("a", Div(), "x half"), *ERF[1:], ("d", Mul(), "x c"), ("y", Mul(), "d half")], "y"),
        ([*ERF[:2], ("c", Add(), "b half"), ("d", Mul(), "x c"), ("y", Mul(), "d half")], "y"),
        ([*ERF, ("r", Relu(), "x"), ("d", Mul(), "r c"), ("y", Mul(), "d half")], "y"),
        ([*ERF, ("d", Mul(), "x c"), ("y", Mul(), "d half")], "y d"),
        ([*ERF, ("d", Mul(), "x c"), ("e", Mul(), "d x"), ("y", Mul(), "e half")], "y"),
    ],
    ids=["not halved", "another scale", "another offset", "of another value", "graph output", "a square"],
)
def test_what_is_no_gelu(lines: list[Line], outputs: str) -> None:
    graph = network(lines, GELU, outputs=outputs)
    assert recognise_gelu(graph) is graph


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([("a", Relu(), "x"), ("y", Min(), "a six")], "y = Clip(x, y.min, y.max)"),
        ([("a", Min(), "six x"), ("y", Max(), "a low")], "y = Clip(x, y.min, y.max)"),
        ([("y", Max(), "x low")], "y = Clip(x, y.min)"),
        ([("y", Min(), "x six")], "y = Clip(x, , y.max)"),
        ([("a", Clip(), "x low six"), ("b", Relu(), "a"), ("y", Clip(), "b - three")], "y = Clip(x, y.min, y.max)"),
    ],
)
def test_clamps(lines: list[Line], expected: str) -> None:
    assert nodes(applied(recognise_clip, network(lines, CONSTANTS), EXACT)) == [expected]


@pytest.mark.parametrize(
    "lines",
    [
        [("y", Max(), "x map")],
        [("y", Max(), "x low six")],
        [("a", Clip(), "x six low"), ("y", Relu(), "a")],
        [("y", Relu(), "x")],
    ],
    ids=["no scalar", "three inputs", "empty range", "alone"],
)
def test_what_is_no_clamp(lines: list[Line]) -> None:
    graph = network(lines, CONSTANTS)
    assert recognise_clip(graph) is graph


def test_clamps_that_exclude_each_other() -> None:
    graph = network([("a", Max(), "x three"), ("y", Clip(), "a low two")], CONSTANTS)
    after = applied(recognise_clip, graph, EXACT)
    assert after.constants["y.min"] == after.constants["y.max"] == 2
