"""The backend interface of the onnx package, beyond what its suite calls."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from tinycnn import onnx_backend
from tinycnn.errors import FeedError

X = np.array([[1, -2, 3]], np.float32)
MODEL = helper.make_model(
    helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
    ),
    ir_version=10, opset_imports=[helper.make_opsetid("", 21)],
)  # fmt: skip


@pytest.mark.parametrize("inputs", [X, [X], (X,), {"x": X}], ids=["array", "list", "tuple", "mapping"])
def test_inputs_in_every_form(inputs):
    (y,) = onnx_backend.prepare(MODEL).run(inputs)
    assert y.tolist() == [[1, 0, 3]]
    assert onnx_backend.run_model(MODEL, inputs)[0].tolist() == y.tolist()


def test_one_node():
    node = helper.make_node("Sub", ["a", "b"], ["y"])
    assert onnx_backend.run_node(node, [X, X[:, :1]])[0].tolist() == [[0, -3, 2]]
    squeeze = helper.make_node("Squeeze", ["a"], ["y"], axes=[0])
    assert onnx_backend.run_node(squeeze, X, opset_version=11)[0].tolist() == [1, -2, 3]


def test_devices():
    assert onnx_backend.supports_device("CPU") and not onnx_backend.supports_device("CUDA")


def test_too_many_inputs_are_no_secret():
    with pytest.raises(FeedError, match="2"):
        onnx_backend.run_model(MODEL, [X, X])
