"""The interface that users know from onnxruntime. Bad input is the matter of test_errors.py."""

import collections
import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

import tinycnn
from tests.interpreter import evaluate
from tests.numerics import ROUNDING, assert_close
from tests.planner.programs import chain, convolutions, node, normal
from tests.runtime.sessions import feed, session
from tinycnn import knobs
from tinycnn.errors import FeedError
from tinycnn.models import card
from tinycnn.session import NETWORKS_KEPT

WEIGHTS = normal(5, 3, 3, 3)


def model(dtype: int = TensorProto.FLOAT, shape: tuple[Any, ...] = ("n", 3, "h", "w")) -> ModelProto:
    """y = max(conv(x), 0), and its mean over the pixels."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["y"], "relu"),
        helper.make_node("GlobalAveragePool", ["y"], ["mean"], "pool"),
    ]
    weights = numpy_helper.from_array(WEIGHTS.astype(helper.tensor_dtype_to_np_dtype(dtype)), "w")
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info("x", dtype, shape)],
        [helper.make_tensor_value_info("y", dtype, ["n", 5, "h", "w"]),
         helper.make_tensor_value_info("mean", dtype, ["n", 5, 1, 1])], [weights], doc_string="of a test",
    )  # fmt: skip
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    proto.producer_name, proto.producer_version, proto.domain = "a maker", "7", "a.domain"
    proto.doc_string, proto.model_version = "what it is", 3
    helper.set_model_props(proto, {"author": "somebody"})
    return proto


X = normal(2, 3, 7, 6)


@pytest.fixture(params=["tinycnn", "onnxruntime"])
def engine(request: pytest.FixtureRequest) -> Any:
    """The two modules between which one changed import decides."""
    return pytest.importorskip(request.param)


def test_one_changed_import(engine: Any) -> None:
    options = engine.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = options.enable_cpu_mem_arena = True
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = engine.InferenceSession(
        model().SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )
    assert [(i.name, i.shape, i.type) for i in session.get_inputs()] == [("x", ["n", 3, "h", "w"], "tensor(float)")]
    assert [(o.name, o.shape, o.type) for o in session.get_outputs()] == [
        ("y", ["n", 5, "h", "w"], "tensor(float)"), ("mean", ["n", 5, 1, 1], "tensor(float)"),
    ]  # fmt: skip
    assert session.get_overridable_initializers() == []
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert "CPUExecutionProvider" in engine.get_available_providers()
    meta = session.get_modelmeta()
    assert (meta.producer_name, meta.graph_name, meta.domain) == ("a maker", "net", "a.domain")
    assert (meta.description, meta.graph_description, meta.version) == ("what it is", "of a test", 3)
    assert meta.custom_metadata_map == {"author": "somebody"}
    y, mean = session.run(None, {"x": X})
    assert (y.shape, mean.shape, y.dtype) == ((2, 5, 7, 6), (2, 5, 1, 1), np.float32)
    for names, wanted in ((["mean"], [mean]), (["mean", "y"], [mean, y]), ([], [y, mean]), (["y", "y"], [y, y])):
        found = session.run(names, {"x": X}, None)
        assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize(
    "dtype, name",
    [
        (TensorProto.FLOAT, "tensor(float)"),
        (TensorProto.FLOAT16, "tensor(float16)"),
        (TensorProto.DOUBLE, "tensor(double)"),
        (TensorProto.INT64, "tensor(int64)"),
        (TensorProto.INT32, "tensor(int32)"),
        (TensorProto.UINT8, "tensor(uint8)"),
        (TensorProto.INT8, "tensor(int8)"),
        (TensorProto.BOOL, "tensor(bool)"),
        (TensorProto.STRING, "tensor(string)"),
    ],
)
def test_the_names_of_types(engine: Any, dtype: int, name: str) -> None:
    values = [helper.make_tensor_value_info(value, dtype, [2, 3]) for value in "xy"]
    graph = helper.make_graph([helper.make_node("Reshape", ["x", "s"], ["y"])], "g", values[:1], values[1:],
                              [numpy_helper.from_array(np.array([2, 3]), "s")])  # fmt: skip
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = engine.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    assert [(i.type, i.shape) for i in (*session.get_inputs(), *session.get_outputs())] == [(name, [2, 3])] * 2
    x = (
        np.arange(6)
        .reshape(2, 3)
        .astype(object if dtype == TensorProto.STRING else helper.tensor_dtype_to_np_dtype(dtype))
    )
    if dtype == TensorProto.STRING:
        x = np.array([["a", "b", "c"], ["d", "", "ä"]], object)
    [y] = session.run(None, {"x": x})
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, x)


def test_half_precision_in_and_out() -> None:
    session = tinycnn.InferenceSession(model(TensorProto.FLOAT16))
    [reference] = tinycnn.InferenceSession(model()).run(["y"], {"x": X.astype(np.float16).astype(np.float32)})
    y, a = session.run(["y", "a"], {"x": X.astype(np.float16)})
    assert (y.dtype, a.dtype) == (np.float16, np.float32)  # what the model does not declare comes as it is computed
    magnitude = np.abs(WEIGHTS).sum(axis=(1, 2, 3)).reshape(-1, 1, 1) * np.abs(X).max()
    assert_close(y, reference.astype(np.float16), ROUNDING(2), magnitude)
    np.testing.assert_array_equal(y, np.maximum(a, 0).astype(np.float16))


def test_sources_of_a_model(tmp_path: Path) -> None:
    proto = model()
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    sources = (path, str(path), proto, proto.SerializeToString(), tinycnn.load(path))
    results = [tinycnn.InferenceSession(source).run(None, {"x": X})[0] for source in sources]
    assert all(np.array_equal(y, results[0]) for y in results)


def test_every_value_has_a_name() -> None:
    session = tinycnn.InferenceSession(model())
    x, w, a, y = session.run(["x", "w", "a", "y"], {"x": X})
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(w, WEIGHTS)
    np.testing.assert_array_equal(y, np.maximum(a, 0))
    assert (a < 0).any()
    a[:], w[:] = 0, 0
    np.testing.assert_array_equal(session.run(["y"], {"x": X})[0], y)


def test_results_belong_to_the_caller() -> None:
    session = tinycnn.InferenceSession(model())
    first, _ = session.run(None, {"x": X})
    kept = first.copy()
    session.run(None, {"x": 2 * X})
    np.testing.assert_array_equal(first, kept)


def test_a_feed_that_is_a_result_is_copied_beside_shapes_that_follow_from_values() -> None:
    graph = chain((2, 3), node("NonZero", "x", "found"), node("Cast", "found", "f", to=1), node("Relu", "f", "y"))
    x = np.ones((2, 3), np.float32)
    [same, _] = tinycnn.InferenceSession(graph.replace(outputs=("x", "y"))).run(None, {"x": x})
    assert not np.shares_memory(same, x)


def test_a_bounded_number_of_plans_and_no_copy_of_the_weights_for_each() -> None:
    session = tinycnn.InferenceSession(model())
    sizes = [(n, h, w) for n in (1, 2) for h in range(1, 17) for w in range(1, 17)][:500]
    for n, h, w in sizes:
        [y] = session.run(["y"], {"x": np.ones((n, 3, h, w), np.float32)})
        assert y.shape == (n, 5, h, w)
        networks = list(session.networks.values())
        assert all(len(network.plans) <= knobs.PLANS.get() for network in networks)
        stored = [key for network in networks for key in network.store.blocks]
        packed = [key[:2] for key in stored if key[0] != "table"]
        assert len(stored) - len(packed) <= knobs.PLANS.get()
        assert len(set(packed)) == len(packed)


def test_constants_that_follow_from_the_shape_are_those_of_each_shape() -> None:
    """d = the width, once for each channel; y = x + d and z = conv(x, d)."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Gather", ["s", "three"], ["width"]),
        helper.make_node("Cast", ["width"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Expand", ["f", "shape"], ["d"]),
        helper.make_node("Add", ["x", "d"], ["y"]),
        helper.make_node("Conv", ["x", "d"], ["z"]),
    ]
    constants = [numpy_helper.from_array(np.array(v), k) for k, v in (("three", 3), ("shape", [1, 3, 1, 1]))]
    values = {
        k: helper.make_tensor_value_info(k, TensorProto.FLOAT, ["n", c, "h", "w"])
        for k, c in zip("xyz", (3, 3, 1), strict=True)
    }
    graph = helper.make_graph(nodes, "g", [values["x"]], [values["y"], values["z"]], constants)
    session = tinycnn.InferenceSession(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    )
    for width in (4, 6, 4, 9, 1, 6):
        y, z = session.run(None, {"x": np.ones((1, 3, 2, width), np.float32)})
        assert (y == 1 + width).all() and (z == 3 * width).all()


@pytest.mark.parametrize("outputs", [("size",), ("w",), ("size", "w"), ("w", "y"), ("y", "size")])
def test_constants_are_results(outputs: tuple[str, ...]) -> None:
    """Of a weight, and of what follows from the only shape there is; `y` has to be computed beside them."""
    nodes = [node("Shape", "x", "size"), node("Conv", "x w", "y")]
    graph = chain((1, 3, 4, 5), *nodes, w=np.ones((2, 3, 1, 1), np.float32)).replace(outputs=outputs)
    x = np.arange(60, dtype=np.float32).reshape(1, 3, 4, 5)
    wanted = evaluate(graph, {"x": x})
    model = tinycnn.InferenceSession(graph)
    for _ in range(2):
        for name, found in zip(outputs, model.run(None, {"x": x}), strict=True):
            np.testing.assert_array_equal(found, wanted[name])


def test_a_bounded_number_of_choices_of_outputs() -> None:
    graph = chain((1, 3, 4, 4), *(node("Relu", f"v{i - 1}" if i else "x", f"v{i}") for i in range(30)))
    session = tinycnn.InferenceSession(graph)
    for i in range(30):
        assert session.run([f"v{i}"], {"x": X[:1, :, :4, :4]})[0].min() >= 0
        assert len(session.networks) <= NETWORKS_KEPT
    assert session.network in session.networks.values()


def test_callers_who_ask_for_different_things() -> None:
    session = tinycnn.InferenceSession(model())
    wanted = dict(zip(("a", "y", "mean"), session.run(["a", "y", "mean"], {"x": X}), strict=True))
    right: list[bool] = []

    def call(name: str) -> None:
        for n in (1, 2) * 10:
            [y] = session.run([name], {"x": X[:n]})
            right.append(np.array_equal(y, wanted[name][:n]))

    callers = [threading.Thread(target=call, args=(name,)) for name in wanted for _ in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert right == [True] * 120


@pytest.mark.parametrize("shape", [(2, 3, 7, 6), ("n", 3, "h", "w"), (2, 3, None, None)])
def test_sizes_that_are_declared_must_fit(shape: tuple[Any, ...]) -> None:
    session = tinycnn.InferenceSession(model(shape=shape))
    assert session.run(["mean"], {"x": X})[0].shape == (2, 5, 1, 1)
    with pytest.raises(FeedError, match="x"):
        session.run(None, {"x": X[:, :2]})
    if isinstance(shape[0], int):
        with pytest.raises(FeedError, match="1x3x7x6"):
            session.run(None, {"x": X[:1]})


def test_dropout_that_scales() -> None:
    nodes = [
        helper.make_node("Dropout", ["x", "rate"], ["d"], "drop"), helper.make_node("Relu", ["d"], ["y"], "relu")
    ]  # fmt: skip
    values = [helper.make_tensor_value_info(value, TensorProto.FLOAT, [2, 3]) for value in "xy"]
    rate = numpy_helper.from_array(np.float32(0.25), "rate")
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], [rate])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = np.abs(normal(2, 3))
    for dropout, factor in (("identity", 1), ("scale", 0.75)):
        options = tinycnn.SessionOptions(dropout=dropout)
        [y] = tinycnn.InferenceSession(proto, options).run(None, {"x": x})
        assert_close(y, (x * np.float32(factor)).astype(np.float32), ROUNDING(2))


def test_options_are_remembered() -> None:
    options = tinycnn.SessionOptions(intra_op_num_threads=3)
    options.add_session_config_entry("key", "value")
    session = tinycnn.InferenceSession(card("lenet5").path, options)
    assert session.get_session_options() is options
    assert options.session_config == {"key": "value"}
    assert [o.threads for o in session.network.options] == [3]
    assert session.get_provider_options() == {"CPUExecutionProvider": {}}


def test_a_session_that_nobody_holds_is_gone_at_once() -> None:
    s = session(convolutions(), 1)
    s.run(None, feed(convolutions()))
    watch = weakref.ref(s)
    gc.disable()
    try:
        del s
        assert watch() is None
    finally:
        gc.enable()


def test_a_mapping_whose_keys_are_no_set_is_taken() -> None:
    class Feeds(collections.UserDict[str, np.ndarray]):
        def keys(self) -> list[str]:  # type: ignore[override]
            return list(self.data)

    graph = convolutions()
    s, x = session(graph, 1), feed(graph)
    np.testing.assert_array_equal(s.run(None, Feeds(x))[0], s.run(None, x)[0])
