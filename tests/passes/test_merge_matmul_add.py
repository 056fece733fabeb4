"""Fully connected layers come in one form."""

import pytest

from tests.passes.network import Line, applied, bound, network, nodes, weights
from tinycnn.ops.activation import Activation
from tinycnn.ops.add import Add
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.matmul import MatMul
from tinycnn.ops.relu import Relu
from tinycnn.ops.reshape import Reshape
from tinycnn.passes.merge_matmul_add import merge_matmul_add

CONSTANTS = {"w": weights(105, 4), "b": weights(4), "row": weights(1, 4), "one": weights(1), "v": weights(105)}
DENSE: list[Line] = [("f", Flatten(), "x"), ("a", MatMul(), "f w")]


@pytest.mark.parametrize("add, b", [("a b", "b"), ("b a", "b"), ("a row", "row")])
def test_a_product_and_a_bias(add: str, b: str) -> None:
    after = applied(merge_matmul_add, network([*DENSE, ("y", Add(), add)], CONSTANTS))
    assert nodes(after)[1:] == [f"y = Gemm(f, w, {b})"] and after.nodes[1].name == "a"


def test_activations_go_along() -> None:
    relu = Activation("clamp", 0.0, float("inf"))
    graph = network([*DENSE, ("y", Add(activation=relu), "a b")], CONSTANTS)
    assert nodes(applied(merge_matmul_add, graph))[1:] == ["y = Gemm[activation=clamp(0, inf)](f, w, b)"]
    graph = network([DENSE[0], ("y", MatMul(activation=relu), "f w")], CONSTANTS)
    assert nodes(applied(merge_matmul_add, graph))[1:] == ["y = Gemm[activation=clamp(0, inf)](f, w)"]


@pytest.mark.parametrize("lines, outputs", [
    ([*DENSE, ("y", Add(), "a one")], "y"),
    ([*DENSE, ("y", Add(), "a b"), ("z", Relu(), "a")], "y z"),
    ([*DENSE, ("y", Add(), "a b")], "y a"),
    ([("r", Relu(), "x"), ("y", Add(), "r one")], "y"),
])  # fmt: skip
def test_a_sum_that_stays(lines: list[Line], outputs: str) -> None:
    assert "Add" in [node.kind for node in applied(merge_matmul_add, network(lines, CONSTANTS, outputs=outputs)).nodes]


def test_the_rank_must_be_known_to_be_two() -> None:
    graph = network([("y", MatMul(), "x w")], CONSTANTS, {"x": ("N", 3, 105)})
    assert merge_matmul_add(graph) is graph
    vector = network([("f", Flatten(), "x"), ("y", MatMul(), "f v")], CONSTANTS)
    assert merge_matmul_add(vector) is vector


def test_shapes_tell_the_rank() -> None:
    graph = network([("f", Reshape(), "x s"), ("y", MatMul(), "f w")], CONSTANTS, {"x": ("N", 3, 35), "s": (2,)})
    assert merge_matmul_add(graph) is graph
    after = merge_matmul_add(bound(network([("f", Flatten(), "x"), ("y", MatMul(), "f w")], CONSTANTS)))
    assert nodes(after)[1:] == ["y = Gemm(f, w)"]
