"""Graphs written as ONNX: accepted by the checker, and computed by onnxruntime to what the graph means."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.converters.onnx_models import draw, model, run_graph, run_onnxruntime
from tests.numerics import ROUNDING, assert_close
from tinycnn.converters import load_onnx, save_onnx, to_onnx
from tinycnn.converters.onnx import writer
from tinycnn.errors import LimitError, ModelFormatError, UnsupportedModelError
from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.ops import Activation, Op
from tinycnn.ops.activation import FUNCTIONS
from tinycnn.ops.add import Add
from tinycnn.ops.average_pool import AveragePool
from tinycnn.ops.channel_shuffle import ChannelShuffle
from tinycnn.ops.concat import Concat
from tinycnn.ops.constant_of_shape import ConstantOfShape
from tinycnn.ops.conv import Conv
from tinycnn.ops.conv_transpose import ConvTranspose
from tinycnn.ops.fake_quantize import FakeQuantize
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.quantize_linear import QuantizeLinear
from tinycnn.ops.relu import Relu
from tinycnn.ops.scale_shift import ScaleShift
from tinycnn.ops.shape import Shape
from tinycnn.ops.space_to_depth import SpaceToDepth
from tinycnn.ops.split import Split
from tinycnn.ops.swish import Swish

X = draw(2, 4, 6, 8)
RELU6 = Activation("clamp", 0, 6)


def graph_of(op: Op, constants: Mapping[str, np.ndarray], x: np.ndarray = X, outputs: int = 1) -> Graph:
    """One operator on the input x and constants; an empty name in `constants` leaves out an input."""
    names = tuple(name.removesuffix("?") and name for name in constants)
    inputs = ("x", *("" if name.endswith("?") else name for name in names))
    results = tuple(f"y{i}" for i in range(outputs))
    kept = {name: array for name, array in constants.items() if not name.endswith("?")}
    return Graph({"x": TensorSpec.of(x)}, results, (Node(op, inputs, results, "node"),), kept)


def check(graph: Graph, x: np.ndarray = X, level: float = 64, scale: float = 40.0) -> onnx.ModelProto:
    proto = to_onnx(graph)
    onnx.checker.check_model(proto, full_check=True)
    for got, wanted in zip(run_onnxruntime(proto, {"x": x}), run_graph(graph, {"x": x}), strict=True):
        assert_close(got, wanted, ROUNDING(level), scale if wanted.dtype.kind == "f" else None)
    return proto


def parameters(function: str) -> Activation:
    return Activation(function, 1.5, 2.5) if function != "clamp" else Activation(function, -0.5, 0.75)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_activation_has_an_operator(function: str) -> None:
    x = np.abs(X) + 0.125 if function in ("log", "sqrt", "reciprocal") else X
    check(graph_of(Add(activation=parameters(function)), {"b": np.float32(0)}, x), x, level=256)


def kinds(proto: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


W, B = draw(6, 2, 3, 3, seed=1), draw(6, seed=2)
RESIDUAL = draw(2, 6, 6, 8, seed=3)


@pytest.mark.parametrize(
    "op, constants, expected",
    [
        (Conv(group=2, pads=(1, 1, 1, 1)), {"w": W}, "Conv"),
        (Conv(group=2, pads=(1, 1, 1, 1), activation=Activation("clamp", 0, np.inf)), {"w": W, "b": B}, "Conv Relu"),
        (Conv(group=2, pads=(1, 1, 1, 1), activation=RELU6), {"w": W, "b": B, "r": RESIDUAL}, "Conv Add Clip"),
        (Conv(group=2, pads=(1, 1, 1, 1)), {"w": W, "b?": B, "r": RESIDUAL}, "Conv Add"),
        (Conv(group=2, auto_pad="SAME_LOWER", strides=(2, 3)), {"w": W}, "Conv"),
        (ConvTranspose(strides=(2, 2), activation=Activation("swish")), {"w": draw(4, 3, 3, 2)},
         "ConvTranspose Sigmoid Mul"),
        (ConvTranspose(strides=(2, 2), output_shape=(13, 15)), {"w": draw(4, 3, 3, 2)}, "ConvTranspose"),
        (ScaleShift(), {"s": draw(4), "t": draw(4, seed=1)}, "BatchNormalization"),
        (ScaleShift(activation=Activation("tanh")), {"s": draw(4), "t": draw(4, seed=1)}, "BatchNormalization Tanh"),
        (Swish(), {}, "Sigmoid Mul"),
        (Swish(alpha=0.5), {}, "Mul Sigmoid Mul"),
        (ChannelShuffle(group=2), {}, "Transpose Reshape Transpose Reshape Transpose"),
        (SpaceToDepth(blocksize=2), {}, "SpaceToDepth"),
        (SpaceToDepth(blocksize=2, mode="CRD"), {},
         "SpaceToDepth Transpose Reshape Transpose Reshape Transpose"),
        (FakeQuantize(), {"s": np.float32(0.02), "z": np.int8(3)}, "QuantizeLinear DequantizeLinear"),
        (FakeQuantize(qmin=0, qmax=255), {"s": np.float32(0.02)}, "QuantizeLinear DequantizeLinear"),
        (FakeQuantize(qmin=-32768, qmax=32767, axis=1), {"s": np.abs(draw(4)) / 99}, "QuantizeLinear DequantizeLinear"),
        (QuantizeLinear(output_dtype=TensorProto.INT8), {"s": np.float32(0.02)}, "QuantizeLinear"),
        (AveragePool(kernel_shape=(3, 2), ceil_mode=1, strides=(2, 2), count_include_pad=1), {}, "AveragePool"),
        (Concat(axis=-1), {"b": X}, "Concat"),
        (Shape(start=1), {}, "Shape"),
    ],
    ids=lambda value: str(value) if isinstance(value, Op | str) else "",
)  # fmt: skip
def test_operators(op: Op, constants: Mapping[str, np.ndarray], expected: str) -> None:
    proto = check(graph_of(op, constants))
    assert kinds(proto) == expected.split()
    assert proto.graph.node[-1].output[0] == "y0"


def test_shuffles_in_a_row() -> None:
    nodes = (Node(ChannelShuffle(2), ("x",), ("a",), "a"), Node(ChannelShuffle(2), ("a",), ("b",), "b"))
    check(Graph({"x": TensorSpec(("n", *X.shape[1:]), X.dtype)}, ("b",), nodes))


def test_several_outputs() -> None:
    check(graph_of(Split(axis=1), {"s": np.array([1, 3])}, outputs=2))
    check(graph_of(MaxPool(kernel_shape=(2, 3), indices=True), {}, outputs=2))


def test_other_inputs() -> None:
    matrix = draw(5, 4)
    gemm = Gemm(alpha=0.5, transB=1, activation=RELU6)
    assert kinds(check(graph_of(gemm, {"b": draw(3, 4, seed=1), "c": draw(3)}, matrix), matrix)) == ["Gemm", "Clip"]
    filled = Node(ConstantOfShape(value=np.float32(1.5)), ("s",), ("y0",), "fill")
    check(graph_of(Relu(), {"s": np.array([2, 3])}).replace(nodes=(filled,)))


def test_symbolic_sizes_and_texts_survive() -> None:
    metadata = {"labels": "a,b", "domain": "d", "model_version": "3", "description": "about", "graph_description": "g"}
    graph = Graph(
        {"x": TensorSpec.f32("N", 4, "H", "W")}, ("y",), (Node(Relu(), ("x",), ("y",), "relu"),),
        specs={"y": TensorSpec.f32("N", 4, "H", "W")}, metadata=metadata, name="net",
    )  # fmt: skip
    proto = to_onnx(graph)
    onnx.checker.check_model(proto, full_check=True)
    again = load_onnx(proto)
    assert again.inputs == graph.inputs
    assert again.specs == graph.specs
    assert again.name == "net"
    assert {key: again.metadata[key] for key in metadata} == metadata


def test_half_precision_at_the_border() -> None:
    x = X.astype("f2")
    body = [helper.make_node("Add", ["x", "w"], ["a"], "sum"), helper.make_node("Relu", ["a"], ["y"], "relu")]
    source = model(body, {"x": x}, {"w": draw(8, dtype="float16")}, element=TensorProto.FLOAT16)
    proto = to_onnx(load_onnx(source))
    onnx.checker.check_model(proto, full_check=True)
    assert [v.type.tensor_type.elem_type for v in (*proto.graph.input, *proto.graph.output)] == [
        TensorProto.FLOAT16
    ] * 2
    for got, wanted in zip(run_onnxruntime(proto, {"x": x}), run_onnxruntime(source, {"x": x}), strict=True):
        assert_close(got, wanted, ROUNDING(4))


def test_equal_node_names_are_told_apart() -> None:
    nodes = (Node(Relu(), ("x",), ("a",), "same"), Node(Relu(), ("a",), ("y0",), "same"))
    check(graph_of(Relu(), {}).replace(nodes=nodes))


def test_constants_that_nothing_reads_are_left_out() -> None:
    graph = graph_of(Relu(), {})
    proto = to_onnx(graph.replace(constants={"unread": draw(3)}))
    assert not proto.graph.initializer


def test_nodes_of_the_evaluator_are_kept_where_opset_21_has_them() -> None:
    source = model([helper.make_node("Cos", ["x"], ["y"], "cosine")], {"x": X}, opset=7)
    assert kinds(to_onnx(load_onnx(source))) == ["Cos"]
    old = helper.make_node("DFT", ["c"], ["y"], "transform", axis=1)
    source = model([old], {"c": draw(1, 4, 2)}, opset=17)
    with pytest.raises(UnsupportedModelError, match="'transform'.*as it stands"):
        to_onnx(load_onnx(source))


def test_all_that_cannot_be_written_is_told_at_once() -> None:
    nodes = (
        Node(FakeQuantize(qmin=-7, qmax=7), ("x", "s"), ("a",), "first"),
        Node(ScaleShift(), ("a", "s2", "s2"), ("y",), "second"),
    )
    inputs = {"x": TensorSpec.f32(2, 4), "s2": TensorSpec.f32("C")}
    with pytest.raises(UnsupportedModelError) as caught:
        to_onnx(Graph(inputs, ("y",), nodes, {"s": np.float32(1)}))
    assert [problem.node for problem in caught.value.problems] == ["first", "second"]


def test_models_beyond_2_gib_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(Add(), {"b": draw(8)})
    for limit in (31, 33):
        monkeypatch.setattr(writer, "PROTOBUF_LIMIT", limit)
        with pytest.raises(LimitError, match="2 GiB"):
            to_onnx(graph)


def test_a_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, path = graph_of(Relu(), {}), tmp_path / "m.onnx"
    save_onnx(graph, path)
    assert load_onnx(path).nodes == graph.nodes
    before = path.read_bytes()

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ModelFormatError, match="m.onnx.*No space left"):
        save_onnx(graph.replace(name="other"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="cannot be written"):
        save_onnx(graph_of(Relu(), {}), tmp_path / "absent" / "m.onnx")
