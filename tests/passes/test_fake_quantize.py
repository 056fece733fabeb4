"""Quantised activations are floats on a grid."""

import numpy as np
import pytest

from tests.numerics import EXACT
from tests.passes.network import Line, applied, kinds, network, nodes
from tinycnn.ops.concat import Concat
from tinycnn.ops.dequantize_linear import DequantizeLinear
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.quantize_linear import QuantizeLinear
from tinycnn.ops.relu import Relu
from tinycnn.ops.split import Split
from tinycnn.ops.transpose import Transpose
from tinycnn.passes.fake_quantize import fake_quantize

Q, DQ = QuantizeLinear(), DequantizeLinear()
CONSTANTS = {
    "s": np.float32(0.05), "z": np.uint8(100), "s2": np.float32(0.05), "z2": np.uint8(100),
    "z3": np.uint8(101), "i": np.int8(3), "t": np.float32(0.06),
    "cs": np.array([0.1, 0.2, 0.3]), "cz": np.array([1, 2, 3], np.int8),
}  # fmt: skip


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([("q", Q, "x s z"), ("y", DQ, "q s2 z2")], ["y = FakeQuantize[qmin=0, qmax=255](x, s, z)"]),
        ([("q", Q, "x s i"), ("y", DQ, "q s i")], ["y = FakeQuantize(x, s, i)"]),
        ([("q", Q, "x s"), ("y", DQ, "q s")], ["y = FakeQuantize[qmin=0, qmax=255](x, s)"]),
        ([("q", Q, "x cs cz"), ("y", DQ, "q cs cz")], ["y = FakeQuantize(x, cs, cz)"]),
        (
            [("q", Q, "x s z"), ("p", MaxPool((2, 2)), "q"), ("t1", Transpose((0, 1, 3, 2)), "p"), ("y", DQ, "t1 s z")],
            [
                "q.dequantized = FakeQuantize[qmin=0, qmax=255](x, s, z)",
                "p.dequantized = MaxPool[kernel_shape=(2, 2)](q.dequantized)",
                "y = Transpose[perm=(0, 1, 3, 2)](p.dequantized)",
            ],
        ),
        (
            [("q", Q, "x s z"), ("d", DQ, "q s z"), ("q2", Q, "d s z"), ("y", DQ, "q2 s z")],
            ["y = FakeQuantize[qmin=0, qmax=255](x, s, z)"],
        ),
        (
            [("q", Q, "x s z"), ("d", DQ, "q s z"), ("e", DQ, "q s z"), ("a", Relu(), "d"), ("y", Concat(1), "e a")],
            [
                "q.dequantized = FakeQuantize[qmin=0, qmax=255](x, s, z)", "a = Relu(q.dequantized)",
                "y = Concat[axis=1](q.dequantized, a)",
            ],
        ),
    ],
    ids=["pair", "signed", "no zero point", "per channel", "moved", "twice", "two readers"],
)  # fmt: skip
def test_pairs(lines: list[Line], expected: list[str]) -> None:
    assert nodes(applied(fake_quantize, network(lines, CONSTANTS), EXACT)) == expected


def test_branches_that_join() -> None:
    lines: list[Line] = [
        ("r", Relu(), "x"), ("p", Q, "x s z"), ("q", Q, "r s z"), ("c", Concat(1), "p q"), ("a b", Split(1, 2), "c"),
        ("d", DQ, "a s z"), ("e", DQ, "b s z"), ("y", Concat(1), "e d"),
    ]  # fmt: skip
    after = applied(fake_quantize, network(lines, CONSTANTS), EXACT)
    assert kinds(after) == ["Relu", "FakeQuantize", "FakeQuantize", "Concat", "Split", "Concat"]


@pytest.mark.parametrize(
    "lines, outputs",
    [
        ([("q", Q, "x s z"), ("y", DQ, "q t z")], "y"),
        ([("q", Q, "x s z"), ("y", DQ, "q s z3")], "y"),
        ([("q", Q, "x cs cz"), ("p", Transpose((0, 1, 3, 2)), "q"), ("y", DQ, "p cs cz")], "y"),
        ([("p", Q, "x s z"), ("q", Q, "x t z"), ("c", Concat(1), "p q"), ("y", DQ, "c s z")], "y"),
    ],
    ids=["another scale", "another zero point", "moved per channel", "joined from two scales"],
)
def test_refusals(lines: list[Line], outputs: str) -> None:
    after = applied(fake_quantize, network(lines, CONSTANTS, outputs=outputs), EXACT)
    assert "FakeQuantize" not in kinds(after) and "DequantizeLinear" in kinds(after)


def test_a_quantised_value_that_is_an_output_stays() -> None:
    graph = network([("q", Q, "x s z"), ("y", DQ, "q s z")], CONSTANTS, outputs="y q")
    assert kinds(applied(fake_quantize, graph, EXACT)) == ["QuantizeLinear", "FakeQuantize"]
