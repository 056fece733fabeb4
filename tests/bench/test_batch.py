"""Copies of models at another batch compute the same for each picture."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from bench.batch import at_batch, feeds
from bench.engines import joined, load_onnxruntime, pictures

pytest.importorskip("onnxruntime")


def model(batch: int | str, width: int | str, shape: list[int]) -> ModelProto:
    """A convolution, a reshape by an initializer, another by a Constant, and a reshaped bias that is no picture."""
    rng = np.random.default_rng(0)
    bias = helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.array([1, -1])))
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Reshape", ["p", "shape"], ["r"]),
        bias,
        helper.make_node("Reshape", ["b", "two"], ["row"]),
        helper.make_node("Add", ["r", "row"], ["y"]),
    ]
    weights = [
        numpy_helper.from_array(rng.standard_normal((5, 3, 3, 3), np.float32), "w"),
        numpy_helper.from_array(np.array(shape), "shape"),
        numpy_helper.from_array(rng.standard_normal(5, np.float32), "b"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 7, width])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 5])
    graph = helper.make_graph(nodes, "g", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize(
    ("batch", "width", "shape"),
    [(1, 11, [1, 5]), (1, 11, [1, -1]), (1, 11, [-1, 5]), (4, 11, [4, 5]), ("n", 11, [-1, 5]), ("n", "w", [0, 5])],
)
def test_every_picture_gets_the_same(tmp_path: Path, batch: int | str, width: int | str, shape: list[int]) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(model(batch, width, shape), path)
    single, many = at_batch(path, 1, tmp_path), at_batch(path, 3, tmp_path)
    x = feeds(many)
    assert [value.shape for value in x] == [(3, 3, 7, 11 if width == 11 else 224)]
    wanted = joined([load_onnxruntime(single, 1)(picture)() for picture in pictures(x)])
    got = load_onnxruntime(many, 1)(x)()
    assert [y.shape for y in got] == [(3, 5)]
    np.testing.assert_allclose(got[0], wanted[0], rtol=1e-5, atol=1e-6)


def test_an_output_without_a_type_stays_without(tmp_path: Path) -> None:
    untyped = model(1, 11, [1, 5])
    untyped.graph.output.append(onnx.ValueInfoProto(name="r"))
    onnx.save(untyped, tmp_path / "model.onnx")
    many = at_batch(tmp_path / "model.onnx", 3, tmp_path)
    assert [y.shape for y in load_onnxruntime(many, 1)(feeds(many))()] == [(3, 5), (3, 5)]


def test_a_file_that_is_so_already_is_taken_itself(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(model(1, 11, [1, 5]), path)
    assert at_batch(path, 1, tmp_path) == path


def test_outputs_without_a_batch_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match="no batch"):
        joined([[np.zeros((5, 2))], [np.zeros((5, 2))]])
