"""Loops and optional values, where the onnx package's evaluator differs from the specification."""

import numpy as np
import pytest
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tinycnn import InferenceSession

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def loop_of(shape: tuple[int, ...], condition: str = "", declared: bool = True) -> ModelProto:
    """Starts at x, adds 1 each trip and scans: (trips, x) -> (the last value, all values)."""
    body = helper.make_graph(
        [
            helper.make_node("Add", ["v_in", "one"], ["v_out"]),
            helper.make_node("Identity", ["v_in"], ["seen"]),
            helper.make_node("Identity", ["go_in"], ["go_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("trip", INT64, []),
            helper.make_tensor_value_info("go_in", BOOL, []),
            helper.make_tensor_value_info("v_in", FLOAT, shape),
        ],
        [
            helper.make_tensor_value_info("go_out", BOOL, []),
            helper.make_tensor_value_info("v_out", FLOAT, shape),
            helper.make_tensor_value_info("seen", FLOAT, shape if declared else None),
        ],
    )
    return whole([helper.make_node("Loop", ["trips", condition, "x"], ["last", "all"], "loop", body=body)], shape)


def whole(nodes: list[NodeProto], shape: tuple[int, ...]) -> ModelProto:
    graph: GraphProto = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("trips", INT64, []), helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in ("last", "all")],
        [numpy_helper.from_array(np.array(1, np.float32), "one"), numpy_helper.from_array(np.array(False), "never")],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("trips", [0, 1, 3])
@pytest.mark.parametrize("shape", [(), (1,), (2,), (2, 3), (1, 2, 3)])
def test_scanned_values_gain_an_axis(shape, trips):
    x = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    last, seen = InferenceSession(loop_of(shape)).run(None, {"trips": np.array(trips), "x": x})
    np.testing.assert_array_equal(last, x + trips, strict=True)
    np.testing.assert_array_equal(seen, np.reshape([x + i for i in range(trips)], (trips, *shape)).astype(np.float32))
    assert seen.dtype == np.float32


def test_a_condition_that_never_holds():
    x = np.ones((2, 3), np.float32)
    last, seen = InferenceSession(loop_of((2, 3), "never")).run(None, {"trips": np.array(5), "x": x})
    assert last.tolist() == x.tolist() and seen.shape == (0, 2, 3)


def test_without_a_trip_the_body_must_declare_what_it_scans():
    session = InferenceSession(loop_of((2,), declared=False))
    with pytest.raises(Exception, match="'loop'.*makes no trip"):
        session.run(None, {"trips": np.array(0), "x": np.ones(2, np.float32)})
