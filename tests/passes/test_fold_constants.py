"""What depends on no input is computed once, within a budget of memory."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.numerics import EXACT
from tests.passes.network import applied, kinds, network, nodes
from tinycnn.converters.onnx.fallback import of_operator
from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops import Op
from tinycnn.ops.add import Add
from tinycnn.ops.concat import Concat
from tinycnn.ops.constant_of_shape import ConstantOfShape
from tinycnn.ops.conv import Conv
from tinycnn.ops.dequantize_linear import DequantizeLinear
from tinycnn.ops.mul import Mul
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.relu import Relu
from tinycnn.ops.reshape import Reshape
from tinycnn.passes.fold_constants import fold_constants


def test_a_chain_of_constants_becomes_one() -> None:
    graph = network(
        [("w", DequantizeLinear(), "q s"), ("v", Mul(), "w w"), ("y", Add(), "x v")],
        {"q": np.arange(3, dtype=np.int8).reshape(3, 1, 1), "s": np.float32(0.5)},
    )
    after = applied(fold_constants, graph, EXACT)
    assert nodes(after) == ["y = Add(x, v)"] and set(after.constants) == {"v"}
    assert [a.node for a in after.report] == ["w", "v"]


def test_an_output_may_be_constant() -> None:
    after = applied(fold_constants, network([("y", Relu(), "c")], {"c": np.array([-1.0, 2.0])}), EXACT)
    assert nodes(after) == [] and after.constants["y"].tolist() == [0, 2]


def test_a_small_file_cannot_ask_for_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = network([("z", ConstantOfShape(), "s"), ("y", Concat(1), "z x")], {"s": np.array([2, 1 << 40, 7, 5])})
    assert fold_constants(graph) is graph
    small = network([("z", ConstantOfShape(), "s"), ("y", Concat(1), "z x")], {"s": np.array([2, 9, 7, 5])})
    assert kinds(fold_constants(small)) == ["Concat"]
    monkeypatch.setattr(sys.modules[fold_constants.__module__], "GROWTH_BYTES", 1000)
    assert fold_constants(small) is small


@dataclass(frozen=True)
class _Foreign(Op):
    """An operator that says nothing of its outputs."""

    name: str
    result: Any

    @property
    def kind(self) -> str:  # type: ignore[override]
        return self.name

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        return None

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        if isinstance(self.result, Exception):
            raise self.result
        return (self.result,)


@pytest.mark.parametrize(
    "kind, result, folded",
    [
        ("onnx.CumSum", np.zeros(3), True),
        ("onnx.CumSum", ValueError("no"), False),
        ("onnx.Unique", [np.zeros(3)], False),
        ("onnx.Unique", np.array(["a"], object), False),
        ("onnx.RandomNormalLike", np.zeros(3), False),
        ("onnx.Loop", np.zeros(3), False),
    ],
    ids=["bounded", "failing", "a sequence", "strings", "random", "perhaps endless"],
)
def test_foreign_operators_are_folded_where_that_is_safe(kind: str, result: object, folded: bool) -> None:
    graph = network([("y", _Foreign(kind, result), "c")], {"c": np.zeros(3)})
    assert (fold_constants(graph) is not graph) == folded


@pytest.mark.parametrize("outputs", ["n", "n mean variance"])
def test_weights_that_are_standardised_are_folded_whatever_their_size(outputs: str) -> None:
    """As exporters write it: a batch normalisation of the weights with statistics of their own."""
    op = of_operator("BatchNormalization", "w g z z o".split(), outputs.split(), {"training_mode": 1})
    w = np.random.default_rng(0).standard_normal((1, 64, 3 * 27 * 9))
    constants = {"w": w, "g": np.full(64, 0.5), "z": np.zeros(64), "o": np.ones(64), "shape": np.array([64, 3, 27, 9])}
    graph = network([(outputs, op, "w g z z o"), ("k", Reshape(), "n shape"), ("y", Conv(), "x k")], constants)
    after = applied(fold_constants, graph, x=(1, 3, 30, 12))
    assert nodes(after) == ["y = Conv(x, k)"]
    kernel = after.constants["k"].reshape(64, -1)
    np.testing.assert_allclose(kernel.mean(1), 0, atol=1e-6)
    np.testing.assert_allclose(kernel.std(1), 0.5, rtol=1e-4)


def test_a_contradiction_names_the_node() -> None:
    graph = network([("y", Reshape(), "c s")], {"c": np.zeros(6), "s": np.array([4, 2])})
    with pytest.raises(ShapeError, match=r"node 'y' \(Reshape\) of c: float32\[6\], s: int64\[2\]"):
        fold_constants(graph)
