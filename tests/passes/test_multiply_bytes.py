"""Products of integers become IntegerConv and IntegerGemm."""

from typing import Any

import numpy as np
import pytest

from tests.numerics import EXACT
from tests.passes.network import Line, applied, bound, kinds, network, nodes
from tinycnn.ir import Graph
from tinycnn.ops.activation import Activation
from tinycnn.ops.channel_shuffle import ChannelShuffle
from tinycnn.ops.concat import Concat
from tinycnn.ops.conv import Conv
from tinycnn.ops.div import Div
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.matmul import MatMul
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.mul import Mul
from tinycnn.ops.slice import Slice
from tinycnn.passes.multiply_bytes import multiply_bytes

RANDOM = np.random.default_rng(4)
QUANTIZE, RELU = Activation("quantize", -128, 127), Activation("clamp", 0, np.inf)
CONSTANTS = {
    "s": np.float32(2**-5), "t": np.float32(2**-4), "w": RANDOM.integers(-128, 128, (5, 3, 3, 2)).astype(np.float32),
    "b": RANDOM.integers(-999, 999, 5).astype(np.float32), "f": np.float32(2**-8),
    "fc": np.float32([2**-8, 2**-9, 2**-7, 2**-8, 2**-6]).reshape(5, 1, 1), "u": np.float32(0.5),
    "d": RANDOM.integers(-128, 128, (3, 1, 2, 2)).astype(np.float32), "half": np.full((5, 3, 1, 1), 0.5, np.float32),
    "big": np.full((5, 3, 1, 1), 128, np.float32), "bh": np.full(5, 0.5, np.float32), "fn": np.float32(-1),
    "w6": RANDOM.integers(-128, 128, (5, 6, 3, 2)).astype(np.float32),
    "bd": np.float32([2**31, 9, -(2**31), 7, 0]),
    "fd": np.float32([1e-12, 2**-9, 1e-11, 2**-8, 2**-6]).reshape(5, 1, 1),
    "bb": np.full(5, 2**31, np.float32), "d33": np.ones((3, 1, 33, 33), np.float32),
    "d1": np.ones((1, 1, 33, 33), np.float32),
}  # fmt: skip
MATRICES = {
    "v": RANDOM.integers(-128, 128, (105, 7)).astype(np.float32), "c": np.float32([9, -8, 7, -6, 5, -4, 3]),
    "fm": np.float32([2**-8, 2**-9, 2**-7, 2**-8, 2**-6, 2**-10, 2**-9]),
    "vt": RANDOM.integers(-128, 128, (7, 105)).astype(np.float32),
    "rows": np.float32([[9], [8]]), "v2": RANDOM.integers(-128, 128, (105, 2)).astype(np.float32),
}  # fmt: skip
X: Line = ("i", Div(QUANTIZE), "x s")
CONV: list[Line] = [X, ("a", Conv(), "i w b"), ("y", Mul(QUANTIZE), "a f")]


def graph(lines: list[Line], outputs: str = "y", **more: Any) -> Graph:
    return bound(network(lines, {**CONSTANTS, **more}, outputs=outputs))


def test_a_convolution() -> None:
    assert nodes(applied(multiply_bytes, graph(CONV), EXACT)) == [
        "i = Div[activation=quantize(-128, 127)](x, s)",
        "y = IntegerConv[activation=quantize(-128, 127)](i, w, b, f)",
    ]


def test_what_is_dequantised_at_once_is_scaled() -> None:
    lines: list[Line] = [X, ("a", Conv(pads=(1, 1, 1, 1)), "i w"), ("j", Mul(QUANTIZE), "a fc"), ("y", Mul(), "j u")]
    assert nodes(applied(multiply_bytes, graph(lines), EXACT))[1:] == [
        "y = IntegerConv[pads=(1, 1, 1, 1), activation=quantize(-128, 127), scale=0.5](i, w, , fc)"
    ]
    assert kinds(applied(multiply_bytes, graph(lines, "y j"), EXACT)) == ["Div", "IntegerConv", "Mul"]


@pytest.mark.parametrize(
    "lines",
    [
        [X, ("a", Conv(activation=RELU), "i w b"), ("y", Mul(QUANTIZE), "a fc")],
        [X, ("a", Conv(group=3), "i d"), ("y", Mul(QUANTIZE), "a f")],
        [X, ("a", Conv(), "i w bd"), ("y", Mul(QUANTIZE), "a fd")],
        [X, ("p", MaxPool((2, 2)), "i"), ("a", Conv(), "p w"), ("y", Mul(QUANTIZE), "a f")],
        [X, ("k", Div(Activation("quantize", -100, 27)), "x t"), ("c", Concat(1), "i k"), ("h", ChannelShuffle(2), "c"),
         ("a", Conv(), "h w6"), ("y", Mul(QUANTIZE), "a f")],
    ],
    ids=["relu", "depthwise", "a dead channel", "moved", "joined and shuffled"],
)  # fmt: skip
def test_convolutions(lines: list[Line]) -> None:
    after = kinds(applied(multiply_bytes, graph(lines), EXACT))
    assert "IntegerConv" in after and "Conv" not in after and "Mul" not in after


@pytest.mark.parametrize(
    "product, factor",
    [
        (("a", MatMul(), "p v"), "f"),
        (("a", Gemm(), "p v c"), "fm"),
        (("a", Gemm(transB=1, activation=RELU), "p vt"), "fm"),
        (("a", Gemm(), "p v f1"), "f"),
    ],
    ids=["matmul", "bias", "transposed, relu", "one bias"],
)
def test_matrices(product: Line, factor: str) -> None:
    lines: list[Line] = [X, ("p", Flatten(), "i"), product, ("j", Mul(QUANTIZE), f"a {factor}"), ("y", Mul(), "j u")]
    after = applied(multiply_bytes, graph(lines, **MATRICES, f1=np.float32(3)), EXACT)
    assert kinds(after) == ["Div", "Flatten", "IntegerGemm"]


@pytest.mark.parametrize(
    "product",
    [("a", Gemm(alpha=2), "p v c"), ("a", Gemm(), "p v2 rows"), ("a", Gemm(), "p v fm")],
    ids=["alpha", "a bias for each row", "a bias that is no integer"],
)
def test_refusals_of_matrices(product: Line) -> None:
    before = graph([X, ("p", Flatten(), "i"), product, ("y", Mul(QUANTIZE), "a f")], **MATRICES)
    assert multiply_bytes(before) is before


def test_the_next_convolution_reads_what_this_one_quantises() -> None:
    more: list[Line] = [("j", Mul(QUANTIZE), "a f"), ("c", Conv(), "j v"), ("y", Mul(QUANTIZE), "c f")]
    v = RANDOM.integers(-128, 128, (4, 5, 1, 1)).astype(np.float32)
    assert kinds(applied(multiply_bytes, graph([*CONV[:2], *more], v=v), EXACT)) == [
        "Div",
        "IntegerConv",
        "IntegerConv",
    ]


@pytest.mark.parametrize(
    "lines, outputs",
    [
        (CONV, "y a"),
        ([("a", Conv(), "x w b"), CONV[2]], "y"),
        ([("i", Div(), "x s"), *CONV[1:]], "y"),
        ([("i", Div(Activation("quantize", -200, 100)), "x s"), *CONV[1:]], "y"),
        ([("i", Div(Activation("quantize", 1, 100)), "x s"), *CONV[1:]], "y"),
        ([*CONV[:2], ("y", Mul(), "a f")], "y"),
        ([*CONV[:2], ("y", Mul(QUANTIZE), "a fn")], "y"),
        ([*CONV[:2], ("y", Mul(QUANTIZE), "a u4")], "y"),
        ([X, ("a", Conv(activation=Activation("clamp", 0, 6)), "i w b"), CONV[2]], "y"),
        ([X, ("a", Conv(), "i half"), CONV[2]], "y"),
        ([X, ("a", Conv(), "i big"), CONV[2]], "y"),
        ([X, ("a", Conv(), "i w bh"), CONV[2]], "y"),
        ([X, ("a", Conv(), "i w bb"), CONV[2]], "y"),
        ([X, ("c", Concat(1), "i x"), ("a", Conv(), "c w6"), CONV[2]], "y"),
        ([*CONV[:2], ("e", Conv(), "x w"), ("y", Mul(QUANTIZE), "a e")], "y"),
        ([*CONV[:2], ("y", Mul(QUANTIZE), "a f5")], "y"),
        ([X, ("a", Conv(group=3, pads=(16, 16, 16, 16)), "i d33"), ("y", Mul(QUANTIZE), "a f")], "y"),
        ([X, ("k", Slice(), "i zero one one"), ("a", Conv(pads=(16, 16, 16, 16)), "k d1"), CONV[2]], "y"),
    ],
    ids=[
        "the sum is an output", "input of floats", "input not quantised", "too wide a range", "a range without zero",
        "not quantised again", "a negative factor", "a factor for each column", "relu6", "weights that are no integers",
        "weights of nine bits", "a bias that is no integer", "a bias too large", "joined with floats",
        "a factor that is computed", "a factor of more axes", "sums that f32 may round",
        "sums of one channel that f32 may round",
    ],
)  # fmt: skip
def test_refusals(lines: list[Line], outputs: str) -> None:
    more = {"zero": np.int64([0]), "one": np.int64([1]), "f5": np.full((1, 1, 1, 1, 1), 2**-8, np.float32)}
    before = graph(lines, outputs, u4=np.full(4, 0.5, np.float32), **more)
    assert multiply_bytes(before) is before
