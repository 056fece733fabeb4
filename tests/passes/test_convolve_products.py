"""Dense layers over channels that stand last become 1x1 convolutions where channels come second again."""

import numpy as np
import pytest

import tinycnn
from tests.passes.network import Line, applied, kinds, network
from tinycnn.ops.add import Add
from tinycnn.ops.clip import Clip
from tinycnn.ops.div import Div
from tinycnn.ops.gelu import Gelu
from tinycnn.ops.layer_normalization import LayerNormalization
from tinycnn.ops.matmul import MatMul
from tinycnn.ops.mul import Mul
from tinycnn.ops.relu import Relu
from tinycnn.ops.sub import Sub
from tinycnn.ops.transpose import Transpose
from tinycnn.passes.convolve_products import convolve_products

RNG = np.random.default_rng(0)
CONSTANTS = {
    "w": RNG.standard_normal((3, 8)), "b": RNG.standard_normal(8), "v": RNG.standard_normal((8, 3)),
    "c": RNG.standard_normal(3), "scale": RNG.standard_normal(3), "low": np.float32(-1),
    "wide": RNG.standard_normal((1, 1, 1, 8)), "stack": RNG.standard_normal((1, 3, 8)), "gamma": RNG.standard_normal(3),
}  # fmt: skip
LAST, FIRST = Transpose((0, 2, 3, 1)), Transpose((0, 3, 1, 2))
SHAPES = {"x": (2, 3, 4, 5)}


@pytest.mark.parametrize(
    "lines, expected",
    [
        ([("a", MatMul(), "t w"), ("y", FIRST, "a")], "Transpose Transpose Conv"),
        ([("a", MatMul(), "t w"), ("d", Add(), "a b"), ("y", FIRST, "d")], "Transpose Transpose Conv Add"),
        ([("a", MatMul(), "t w"), ("d", Sub(), "b a"), ("e", Gelu(), "d"), ("y", FIRST, "e")],
         "Transpose Transpose Conv Sub Gelu"),
        ([("a", MatMul(), "t w"), ("d", Add(), "a b"), ("e", Clip(), "d low"), ("f", MatMul(), "e v"),
          ("g", Mul(), "f c"), ("y", FIRST, "g")], "Transpose Transpose Conv Add Clip Conv Mul"),
        ([("a", MatMul(), "t w"), ("d", Clip(), "a - low"), ("y", FIRST, "d")], "Transpose Transpose Conv Clip"),
        ([("r", Relu(), "t"), ("a", MatMul(), "r w"), ("y", FIRST, "a")], "Transpose Relu Transpose Conv"),
        ([("a", MatMul(), "t w"), ("d", Div(), "a low"), ("y", FIRST, "d")], "Transpose Transpose Conv Div"),
        ([("a", MatMul(), "t w"), ("d", Add(), "a wide"), ("y", FIRST, "d")], None),
        ([("a", MatMul(), "t w"), ("d", Mul(), "a a"), ("y", FIRST, "d")], None),
        ([("a", MatMul(), "t stack"), ("y", FIRST, "a")], None),
        ([("a", MatMul(), "t w"), ("y", LAST, "a")], None),
        ([("y", FIRST, "t")], None),
    ],
    ids=["product", "bias", "difference and function", "two layers", "absent parameter", "function before", "scalar",
         "bias of four axes", "square", "stack of matrices", "another order", "no product"],
)  # fmt: skip
def test_products(lines: list[Line], expected: str | None) -> None:
    graph = network([("t", LAST, "x"), *lines], CONSTANTS)
    after = applied(convolve_products, graph, **SHAPES)
    assert after is graph if expected is None else kinds(after) == expected.split()


@pytest.mark.parametrize("outputs", ["y a", "y d"])
def test_what_is_read_elsewhere_stays(outputs: str) -> None:
    lines: list[Line] = [("t", LAST, "x"), ("a", MatMul(), "t w"), ("d", Add(), "a b"), ("y", FIRST, "d")]
    graph = network(lines, CONSTANTS, outputs=outputs)
    assert convolve_products(graph) is graph


def test_a_block_of_convnext_has_two_transpositions_left() -> None:
    lines: list[Line] = [
        ("t", LAST, "x"),
        ("n", LayerNormalization(), "t scale"),
        ("a", MatMul(), "n w"),
        ("d", Add(), "a b"),
        ("e", Gelu(), "d"),
        ("f", MatMul(), "e v"),
        ("g", Add(), "f c"),
        ("s", Mul(), "g gamma"),
        ("z", FIRST, "s"),
        ("y", Add(), "z x"),
    ]
    session = tinycnn.InferenceSession(network(lines, CONSTANTS, inputs=SHAPES))
    graph = session.plan(SHAPES).graph
    assert kinds(graph) == ["Transpose", "LayerNormalization", "Transpose", "Conv", "Conv"]
