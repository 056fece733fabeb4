"""Shapes of the inputs decide every other shape, and shape arithmetic disappears."""

from dataclasses import dataclass

import numpy as np
import pytest

from tests.numerics import EXACT
from tests.passes.network import bound, network, nodes, same_meaning, weights
from tinycnn.errors import LimitError, ShapeError
from tinycnn.ir import Node, TensorSpec
from tinycnn.knobs import MEMORY
from tinycnn.ops import REGISTRY, Op
from tinycnn.ops.add import Add
from tinycnn.ops.concat import Concat
from tinycnn.ops.conv import Conv
from tinycnn.ops.expand import Expand
from tinycnn.ops.gather import Gather
from tinycnn.ops.non_zero import NonZero
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.relu import Relu
from tinycnn.ops.reshape import Reshape
from tinycnn.ops.shape import Shape
from tinycnn.ops.unsqueeze import Unsqueeze
from tinycnn.passes.bind import bind

FLATTENING = [
    ("a", Conv(), "x w"),
    ("s", Shape(), "a"),
    ("n", Gather(), "s zero"),
    ("u", Unsqueeze(), "n axes"),
    ("t", Concat(), "u rest"),
    ("y", Reshape(), "a t"),
]
CONSTANTS = {"w": weights(5, 3, 3, 2), "zero": np.int64(0), "axes": np.array([0]), "rest": np.array([-1])}


def test_shape_arithmetic_becomes_a_constant() -> None:
    graph = network(FLATTENING, CONSTANTS)
    after = bound(graph)
    assert nodes(after) == ["a = Conv(x, w)", "y = Reshape(a, t)"]
    assert after.constants["t"].tolist() == [2, -1] and set(after.constants) == {"w", "t"}
    assert after.inputs == {"x": TensorSpec.f32(2, 3, 7, 5)}
    assert after.specs == {
        "x": TensorSpec.f32(2, 3, 7, 5),
        "a": TensorSpec.f32(2, 5, 5, 4),
        "y": TensorSpec.f32(2, 100),
    }
    assert after.constants["w"] is graph.constants["w"]
    same_meaning(graph, after, EXACT)


def test_every_set_of_shapes_has_its_own_graph() -> None:
    graph = network(FLATTENING, CONSTANTS)
    for n in (1, 4):
        assert bind(graph, {"x": (n, 3, 3, 3)}).specs["y"] == TensorSpec.f32(n, 10)
    assert graph.inputs["x"].shape == ("N", 3, "H", "W")


def test_values_of_inputs_decide_shapes() -> None:
    graph = network([("y", Expand(), "x s")], inputs={"x": ("N", 3, "H", "W"), "s": (4,)})
    graph = graph.replace(inputs={**graph.inputs, "s": TensorSpec((4,), np.dtype(np.int64))})
    shapes = {"x": (1, 3, 1, 1), "s": (4,)}
    assert "y" not in bind(graph, shapes).specs
    after = bind(graph, shapes, {"s": np.array([2, 1, 5, 1])})
    assert after.specs["y"] == TensorSpec.f32(2, 3, 5, 1) and list(after.inputs) == ["x"]


def test_what_depends_on_elements_has_no_spec() -> None:
    graph = network(
        [("a", Relu(), "x"), ("i", NonZero(), "a"), ("b", Shape(), "i"), ("y", Gather(), "b zero")], CONSTANTS
    )
    after = bound(graph)
    assert list(after.specs) == ["x", "a"] and len(after.nodes) == 4


def test_shape_reads_no_element() -> None:
    graph = network([("s", Shape(), "x"), ("y", Gather(), "s zero")], CONSTANTS)
    after = bind(graph, {"x": (1 << 20, 3, 1 << 6, 1)})
    assert after.constants["y"] == 1 << 20


@pytest.mark.parametrize("shape", [(2, 4, 7, 5), (2, 3, 7), (2, 3, -1, 5)])
def test_a_shape_that_the_input_cannot_have(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"input 'x' is float32\[Nx3xHxW\]"):
        bind(network(FLATTENING, CONSTANTS), {"x": shape})


def test_a_shape_that_is_absent() -> None:
    with pytest.raises(ShapeError, match="input 'x' needs a shape"):
        bind(network(FLATTENING, CONSTANTS), {})


def test_a_contradiction_names_node_operator_and_shapes() -> None:
    graph = network([("a", Conv(), "x w"), ("y", Add(), "a b")], {**CONSTANTS, "b": np.zeros((1, 6, 1, 1))})
    with pytest.raises(
        ShapeError, match=r"node 'y' \(Add\) of a: float32\[2x5x5x4\], b: float32\[1x6x1x1\]: .*broadcast"
    ):
        bound(graph)


def test_an_operator_that_fails_on_hostile_input_names_the_node() -> None:
    @dataclass(frozen=True)
    class Fragile(Op):
        def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
            raise IndexError("tuple index out of range")

    del REGISTRY["Fragile"]
    with pytest.raises(ShapeError, match=r"node 'y' \(Fragile\) of x: .*IndexError: tuple index"):
        bound(network([("y", Fragile(), "x")]))


@pytest.mark.parametrize("name, shape", [("x", (400, 3, 2, 2)), ("y", (1, 3, 2, 2))])
def test_sizes_are_checked_before_memory_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, name: str, shape: tuple[int, ...]
) -> None:
    monkeypatch.setenv(MEMORY.name, "10000")
    graph = network([("y", Expand(), "x s")], {"s": np.array([1 << 30, 1, 1, 1])})
    with pytest.raises(LimitError, match=rf"'{name}'.* at most 10,000 are allowed.*TINYCNN_MEMORY"):
        bind(graph, {"x": shape})


def test_absent_inputs_and_outputs() -> None:
    graph = network([("y", Conv(), "x w - r")], CONSTANTS, {"x": ("N", 3, 7, 5), "r": ("N", 5, 5, 4)})
    assert bound(graph).specs["y"] == TensorSpec.f32(2, 5, 5, 4)
    assert bound(graph).nodes == (Node(Conv(), ("x", "w", "", "r"), ("y",), "y"),)
