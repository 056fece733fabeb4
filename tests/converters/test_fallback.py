"""Operators that the onnx package's evaluator computes, and the types that they pass on."""

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from tinycnn import InferenceSession
from tinycnn.converters import load_onnx

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def model(
    nodes: list[NodeProto], inputs: list[ValueInfoProto], outputs: list[ValueInfoProto], **constants: np.ndarray
) -> ModelProto:
    initialisers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initialisers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 25)], ir_version=13)


def tensor(name: str, element: int = FLOAT, shape: tuple[int, ...] | None = None) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, element, shape)


NARROW = [
    element for name, element in TensorProto.DataType.items()
    if name.startswith(("FLOAT8", "FLOAT4", "INT4", "UINT4", "INT2", "UINT2"))
]  # fmt: skip


@pytest.mark.parametrize("element", NARROW, ids=TensorProto.DataType.Name)
def test_a_narrow_type_inside_rounds(element):
    """x becomes a few bits wide and a float again: what NumPy with ml_dtypes makes of it."""
    nodes = [
        helper.make_node("Cast", ["x"], ["narrow"], to=element),
        helper.make_node("Reshape", ["narrow", "shape"], ["moved"]),
        helper.make_node("Cast", ["moved"], ["y"], to=FLOAT),
    ]
    proto = model(nodes, [tensor("x", shape=(2, 3))], [tensor("y")], shape=np.array([3, 2]))
    x = np.array([[0, 1, 1], [1.9, 0.26, 0.51]], np.float32)
    expected = x.astype(helper.tensor_dtype_to_np_dtype(element)).astype(np.float32).reshape(3, 2)
    (y,) = InferenceSession(proto).run(None, {"x": x})
    if element != TensorProto.FLOAT8E8M0:  # ONNX rounds it up by default
        np.testing.assert_array_equal(y, expected)
    assert (y != x.reshape(3, 2)).any()


@pytest.mark.parametrize("element", [*NARROW, TensorProto.BFLOAT16, TensorProto.FLOAT16], ids=TensorProto.DataType.Name)
def test_feeds_and_results_have_the_declared_type(element):
    dtype = helper.tensor_dtype_to_np_dtype(element)
    proto = model([helper.make_node("Identity", ["x"], ["y"])], [tensor("x", element, (2,))], [tensor("y", element)])
    x = np.array([1, 0]).astype(dtype)
    (y,) = InferenceSession(proto).run(None, {"x": x})
    assert y.dtype == dtype and y.tobytes() == x.tobytes()
    assert y is not x


def test_float8_constants_are_read():
    scale, zero = np.array(2, np.float32), np.zeros((), helper.tensor_dtype_to_np_dtype(TensorProto.FLOAT8E4M3FN))
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
    ]
    proto = model(nodes, [tensor("x", shape=(3,))], [tensor("y")], scale=scale, zero=zero)
    (y,) = InferenceSession(proto).run(None, {"x": np.array([1, 3.05, -900], np.float32)})
    assert y.tolist() == [1.0, 3.0, -896.0]


def test_sequences_come_and_go_as_lists():
    sequence = helper.make_tensor_sequence_value_info("s", FLOAT, None)
    longer = helper.make_tensor_sequence_value_info("t", FLOAT, None)
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("SequenceInsert", ["s", "r"], ["inserted"]),
        helper.make_node("Identity", ["inserted"], ["t"]),
        helper.make_node("SequenceAt", ["t", "last"], ["a"]),
        helper.make_node("Neg", ["a"], ["y"]),
    ]
    proto = model(nodes, [sequence, tensor("x", shape=(2,))], [longer, tensor("y")], last=np.array(-1))
    x, first = np.array([1, -2], np.float32), np.ones((2, 2), np.float32)
    session = InferenceSession(proto)
    for items in ([], [first], [x, x]):
        t, y = session.run(None, {"s": items, "x": x})
        assert [item.tolist() for item in t] == [item.tolist() for item in [*items, np.maximum(x, 0)]]
        assert y.tolist() == [-1, 0]


def test_an_absent_value():
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, None))
    node = helper.make_node("OptionalHasElement", ["x"], ["y"])
    session = InferenceSession(model([node], [helper.make_value_info("x", kind)], [tensor("y", TensorProto.BOOL)]))
    assert session.run(None, {"x": None})[0].item() is False
    assert session.run(None, {"x": np.ones(2, np.float32)})[0].item() is True


def test_a_dtype_that_only_a_run_tells():
    """What NonZero finds is int64, and so is all that follows."""
    nodes = [
        helper.make_node("NonZero", ["x"], ["found"]),
        helper.make_node("Shape", ["found"], ["size"]),
        helper.make_node("ReduceMax", ["size"], ["n"], keepdims=0),
        helper.make_node("Range", ["zero", "n", "one"], ["y"]),
    ]
    proto = model(nodes, [tensor("x", shape=(4,))], [tensor("y", INT64)], zero=np.array(0), one=np.array(1))
    session = InferenceSession(proto)
    for x, n in (([0, 1, 2, 0], 2), ([1, 1, 1, 0], 3), ([1, 0, 1, 0], 2)):
        (y,) = session.run(None, {"x": np.array(x, np.float32)})
        np.testing.assert_array_equal(y, np.arange(n), strict=True)


def test_strings():
    nodes = [helper.make_node("Equal", ["x", "cat"], ["y"])]
    proto = model(nodes, [tensor("x", TensorProto.STRING, (2,))], [tensor("y", TensorProto.BOOL)],
                  cat=np.array("cat", object))  # fmt: skip
    (y,) = InferenceSession(proto).run(None, {"x": np.array(["dog", "cat"])})
    assert y.tolist() == [False, True]


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs", "attributes"),
    [
        ("LayerNormalization", ["x", "scale"], ["y", "mean"], {}),
        ("Resize", ["x", "", "", "sizes"], ["y"], {"antialias": 1, "mode": "linear"}),
    ],
)
def test_what_a_class_does_not_compute_is_left(kind, inputs, outputs, attributes):
    proto = model(
        [helper.make_node(kind, inputs, outputs, **attributes)], [tensor("x", shape=(3, 4))],
        [tensor(name) for name in outputs], scale=np.ones(4, np.float32), sizes=np.array([3, 2]),
    )  # fmt: skip
    assert [node.kind for node in load_onnx(proto).nodes] == [f"onnx.{kind}"]
    assert len(InferenceSession(proto).run(None, {"x": np.ones((3, 4), np.float32)})) == len(outputs)
