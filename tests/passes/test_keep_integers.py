"""Products of quantised tensors add up integers."""

import numpy as np
import pytest

from tests.numerics import EXACT
from tests.passes.network import Line, applied, kinds, network, nodes
from tinycnn.ops.concat import Concat
from tinycnn.ops.conv import Conv
from tinycnn.ops.dequantize_linear import DequantizeLinear
from tinycnn.ops.fake_quantize import FakeQuantize
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.matmul import MatMul
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.relu import Relu
from tinycnn.passes.keep_integers import REACH, keep_integers

RANDOM = np.random.default_rng(3)
FQ, DQ, UNSIGNED = FakeQuantize(), DequantizeLinear(), FakeQuantize(qmin=0, qmax=255)
# Scales are powers of two, so that the float graph is exact too.
CONSTANTS = {
    "s": np.float32(2**-4), "u": np.float32(0.5), "z": np.int8(5), "z8": np.uint8(90), "t": np.float32(2**-6),
    "tc": np.array([2**-6, 2**-7, 2**-5, 2**-6, 2**-8]), "st": np.float32(2**-10), "c": RANDOM.standard_normal(5),
    "v": RANDOM.integers(-128, 128, (5, 3, 3, 2), np.int8), "vz": np.int8(-7),
    "d": RANDOM.integers(0, 256, (105, 5), np.uint8), "dz": np.uint8(120),
    "b": RANDOM.integers(-9999, 9999, 5, np.int32),
}  # fmt: skip
CONV: list[Line] = [("f", FQ, "x s"), ("w", DQ, "v t"), ("a", Conv(), "f w"), ("y", FQ, "a u")]


def test_a_convolution() -> None:
    assert nodes(applied(keep_integers, network(CONV, CONSTANTS), EXACT)) == [
        "f.integers = Div[activation=quantize(-128, 127)](x, f.scale)",
        "a.integers = Conv(f.integers, w.integers)",
        "y.integers = Mul[activation=quantize(-128, 127)](a.integers, y.factor)",
        "y = Mul(y.integers, y.scale)",
    ]


@pytest.mark.parametrize(
    "lines",
    [
        [("f", UNSIGNED, "x s z8"), ("w", DQ, "v t vz"), ("a", Conv(pads=(1, 0, 2, 1)), "f w"), ("y", FQ, "a u z")],
        [("f", FQ, "x s"), ("w", DequantizeLinear(0), "v tc"), ("a", Conv(), "f w"), ("y", FQ, "a u z")],
        [("f", FQ, "x s"), ("w", DQ, "v t"), ("e", DQ, "b st"), ("a", Conv(), "f w e"), ("y", FQ, "a u")],
        [("f", FQ, "x s"), ("w", DQ, "v t"), ("a", Conv(), "f w"), ("r", Relu(), "a"), ("y", UNSIGNED, "r u z8")],
        [("f", FQ, "x s"), ("p", Flatten(), "f"), ("w", DQ, "d t dz"), ("a", MatMul(), "p w"), ("y", FQ, "a u")],
        [("f", FQ, "x s"), ("p", Flatten(), "f"), ("w", DequantizeLinear(-1), "d tc"), ("a", MatMul(), "p w"),
         ("y", FQ, "a u")],
        [("f", FQ, "x s"), ("p", Flatten(), "f"), ("w", DequantizeLinear(1), "d tc"), ("a", Gemm(), "p w"),
         ("y", FQ, "a u")],
        [("f", FQ, "x s"), ("p", MaxPool((2, 2)), "f"), ("w", DQ, "v t"), ("a", Conv(), "p w"), ("y", FQ, "a u")],
    ],
    ids=["zero points", "scales per channel", "bias", "relu", "matrix", "columns", "gemm", "moved"],
)  # fmt: skip
def test_products(lines: list[Line]) -> None:
    after = applied(keep_integers, network(lines, CONSTANTS), EXACT)
    assert "FakeQuantize" not in kinds(after) and "DequantizeLinear" not in kinds(after)


def test_the_next_product_reads_the_integers() -> None:
    small = {**CONSTANTS, "v2": RANDOM.integers(-128, 128, (4, 5, 1, 1), np.int8), "u2": np.float32(64)}
    lines: list[Line] = [*CONV[:3], ("g", FQ, "a u"), ("w2", DQ, "v2 t"), ("b2", Conv(), "g w2"), ("y", FQ, "b2 u2")]
    assert kinds(applied(keep_integers, network(lines, small), EXACT)) == ["Div", "Conv", "Mul", "Conv", "Mul", "Mul"]
    both = applied(keep_integers, network(lines, small, outputs="y g"), EXACT)
    assert kinds(both) == ["Div", "Conv", "Mul", "Mul", "Conv", "Mul", "Mul"]


@pytest.mark.parametrize(
    "lines, outputs",
    [
        (CONV, "y a"),
        ([*CONV[:2], ("a", Conv(), "x w"), ("y", FQ, "a u")], "y"),
        ([*CONV[:2], ("a", Conv(), "f w c"), ("y", FQ, "a u")], "y"),
        ([*CONV[:2], ("e", DQ, "b t"), ("a", Conv(), "f w e"), ("y", FQ, "a u")], "y"),
        ([CONV[0], ("g", FQ, "x u"), ("j", Concat(2), "f g"), CONV[1], ("a", Conv(), "j w"), ("y", FQ, "a u")], "y"),
    ],
    ids=[
        "the sum is an output",
        "input of floats",
        "bias of floats",
        "bias of another scale",
        "joined from two scales",
    ],
)
def test_refusals(lines: list[Line], outputs: str) -> None:
    after = applied(keep_integers, network(lines, CONSTANTS, outputs=outputs), EXACT)
    assert "Mul" not in kinds(after)


def test_long_ways_of_moves_end() -> None:
    ways: list[Line] = [(f"p{i}", Concat(1), "f f" if i == 0 else f"p{i - 1} p{i - 1}") for i in range(3)]
    far: list[Line] = [(f"q{i}", Flatten(), "p2" if i == 0 else f"q{i - 1}") for i in range(REACH)]
    constants = {**CONSTANTS, "d": RANDOM.integers(-128, 128, (840, 5), np.int8)}
    tail: list[Line] = [("w", DQ, "d t"), ("a", MatMul(), f"q{REACH - 1} w"), ("y", FQ, "a u")]
    after = applied(keep_integers, network([CONV[0], *ways, *far, *tail], constants), EXACT)
    assert "DequantizeLinear" in kinds(after)
