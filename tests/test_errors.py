"""Bad input: one error of our own that names the culprit, the parents that Python users expect, and no crash."""

import inspect
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

import tinycnn
from tinycnn import errors, knobs
from tinycnn.errors import (
    FeedError,
    FeedTypeError,
    LimitError,
    ModelFormatError,
    OptionError,
    ShapeError,
    TinyCnnError,
    UnsupportedModelError,
)
from tinycnn.models import card

LENET = card("lenet5").path


def model(
    nodes: list[NodeProto], x: Any = (1, 3, 8, 9), dtype: int = TensorProto.FLOAT, **weights: np.ndarray
) -> ModelProto:
    """A model from x to y."""
    inputs = [helper.make_tensor_value_info("x", dtype, x)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    constants = [numpy_helper.from_array(w, name) for name, w in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def convolution(w: tuple[int, ...] = (4, 3, 3, 3), **attributes: Any) -> ModelProto:
    return model([helper.make_node("Conv", ["x", "w"], ["y"], "conv", **attributes)], w=np.ones(w, np.float32))


def run(proto: ModelProto, feeds: dict[str, Any] | None = None) -> list[np.ndarray]:
    session = tinycnn.InferenceSession(proto.SerializeToString())
    return session.run(None, feeds or {"x": np.ones((1, 3, 8, 9), np.float32)})


def test_every_error_is_of_the_family_and_explains_itself() -> None:
    for name, error in inspect.getmembers(errors, inspect.isclass):
        if issubclass(error, Exception):
            assert issubclass(error, TinyCnnError | Warning), name
            assert error.__doc__


@pytest.mark.parametrize(
    ("error", "parent"),
    [
        (ModelFormatError, ValueError),
        (ShapeError, ValueError),
        (LimitError, ValueError),
        (FeedError, ValueError),
        (FeedTypeError, TypeError),
        (OptionError, ValueError),
        (UnsupportedModelError, ValueError),
        (errors.MissingPackageError, ImportError),
        (errors.DownloadError, OSError),
    ],
)
def test_errors_have_the_parents_that_users_expect(error: type, parent: type) -> None:
    assert issubclass(error, parent)


@pytest.mark.parametrize(
    ("name", "known", "message"),
    [
        ("b", ["a", "c"], "no layer is named 'b'; there are a, c"),
        ("b", ["a"], "no layer is named 'b'; there is a"),
        ("b", [], "no layer is named 'b'; there are none"),
        (
            "Conv1",
            [*(f"conv{i}" for i in (3, 12, 2, 1)), *"abcdefgh"] * 2,
            "no layer is named 'Conv1'; nearest: conv12, conv1, conv3, conv2",
        ),
        ("pool", [f"conv{i}" for i in range(20)], "no layer is named 'pool'"),
    ],
)
def test_an_unknown_name_gets_the_nearest(name: str, known: list[str], message: str) -> None:
    assert errors.unknown("layer", name, known) == message


# Models.


@pytest.mark.parametrize("size", [0, 1, 10, 1000, 100_000])
def test_a_truncated_model(size: int) -> None:
    with pytest.raises(TinyCnnError):
        tinycnn.InferenceSession(LENET.read_bytes()[:size])


def test_bytes_of_another_kind(tmp_path: Path) -> None:
    for data in (b"PK\3\4" + bytes(100), b"{}", b"\x89PNG\r\n\x1a\n", random.Random(0).randbytes(5000)):
        with pytest.raises(ModelFormatError):
            tinycnn.InferenceSession(data)
    with pytest.raises(ModelFormatError, match="absent.onnx"):
        tinycnn.InferenceSession(tmp_path / "absent.onnx")
    for nothing in (None, 7, ["a.onnx"]):
        with pytest.raises((TinyCnnError, TypeError)):
            tinycnn.InferenceSession(nothing)


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_model_is_refused_or_runs(seed: int) -> None:
    """Flipped bytes either make a model that runs, or one error of the family."""
    data, r = bytearray(LENET.read_bytes()[:2000]), random.Random(seed)
    rest = LENET.read_bytes()[2000:]
    for _ in range(r.choice([1, 3, 10])):
        data[r.randrange(len(data))] = r.randrange(256)
    try:
        session = tinycnn.InferenceSession(bytes(data) + rest)
        shapes = {i.name: [d if isinstance(d, int) else 1 for d in i.shape] for i in session.get_inputs()}
        session.run(None, {name: np.zeros(shape, np.float32) for name, shape in shapes.items()})
    except TinyCnnError as error:
        assert str(error)


def test_a_cycle() -> None:
    edges = ("ba", "ab", "ay")
    with pytest.raises(TinyCnnError, match="'[ab]'"):
        run(model([helper.make_node("Relu", [x], [y]) for x, y in edges]))


@pytest.mark.parametrize(
    ("nodes", "culprit"),
    [
        ([helper.make_node("Relu", ["nowhere"], ["y"], "r")], "nowhere"),
        ([helper.make_node("Relu", ["x"], ["z"], "r")], "y"),
        ([helper.make_node("Relu", ["x"], ["y"], "r"), helper.make_node("Relu", ["x"], ["y"], "s")], "y"),
        ([helper.make_node("Add", ["x"], ["y"], "lonely")], "lonely"),
        ([helper.make_node("Relu", ["x", "x"], ["y"], "twin")], "twin"),
        ([helper.make_node("Relu", ["x"], ["y"], "odd", slope=1.0)], "slope"),
        ([helper.make_node("LeakyRelu", ["x"], ["y"], "leaky", alpha="much")], "alpha"),
        ([helper.make_node("Concat", ["x", "x"], ["y"], "axisless")], "axis"),
        ([helper.make_node("Transpose", ["x"], ["y"], "turn", perm=[0, 1, 1, 3])], "turn"),
    ],
)
def test_a_graph_that_contradicts_itself(nodes: list[NodeProto], culprit: str) -> None:
    with pytest.raises(TinyCnnError, match=re.escape(culprit)):
        run(model(nodes))


@pytest.mark.parametrize(
    "make",
    [
        lambda: convolution((4, 2, 3, 3)),
        lambda: convolution((4, 3, 3, 3), group=2),
        lambda: convolution((4, 3, 9, 3)),
        lambda: convolution((4, 3, 3, 3), strides=[0, 1]),
        lambda: convolution((4, 3, 3, 3), strides=[1]),
        lambda: convolution((4, 3, 3, 3), dilations=[-1, 1]),
        lambda: convolution((4, 3, 3, 3), pads=[1, 1]),
        lambda: convolution((4, 3, 3, 3), kernel_shape=[5, 5]),
        lambda: convolution((4, 3)),
    ],
    ids=["channels", "group", "kernel", "stride", "strides", "dilation", "pads", "kernel_shape", "rank"],
)
def test_shapes_that_contradict_each_other(make: Callable[[], ModelProto]) -> None:
    with pytest.raises(TinyCnnError, match="conv|Conv"):
        run(make())


def test_an_input_that_nothing_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = model([helper.make_node("Relu", ["x"], ["y"], "r")], x=(1 << 20, 1 << 20, 1 << 20))
    with pytest.raises(LimitError, match=knobs.MEMORY.name):
        tinycnn.InferenceSession(huge.SerializeToString())
    monkeypatch.setenv(knobs.MEMORY.name, "1000")
    with pytest.raises(LimitError, match=knobs.MEMORY.name):
        run(model([helper.make_node("Relu", ["x"], ["y"], "r")], x=(1, 3, 80, 90)))


def test_a_value_that_nothing_can_hold() -> None:
    shape = np.array([1 << 20, 1 << 20, 1 << 20])
    for nodes in (
        [helper.make_node("Expand", ["x", "shape"], ["y"], "swell")],
        [helper.make_node("ConstantOfShape", ["shape"], ["y"], "swell")],
        [helper.make_node("Tile", ["x", "shape"], ["y"], "swell")],
    ):
        with pytest.raises(TinyCnnError):
            run(model(nodes, x=(1, 1, 1), shape=shape), {"x": np.ones((1, 1, 1), np.float32)})


def test_a_weight_that_claims_more_than_it_brings() -> None:
    proto = convolution()
    proto.graph.initializer[0].dims[0] = 1 << 40
    with pytest.raises(TinyCnnError, match="w"):
        run(proto)


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "a/../../secret", "C:\\secret", ""])
def test_external_data_outside_the_models_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret").write_bytes(bytes(4 * 3 * 3 * 3 * 4))
    folder = tmp_path / "model"
    folder.mkdir()
    proto = convolution()
    w = proto.graph.initializer[0]
    w.ClearField("raw_data")
    w.data_location = TensorProto.EXTERNAL
    entry = w.external_data.add()
    entry.key, entry.value = "location", location
    (folder / "model.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(TinyCnnError, match="w"):
        tinycnn.InferenceSession(folder / "model.onnx")


def test_a_newer_operator_set_than_is_known() -> None:
    proto = convolution()
    proto.opset_import[0].version = onnx.defs.onnx_opset_version() + 50
    with pytest.raises(TinyCnnError, match=str(proto.opset_import[0].version)):
        run(proto)


def test_all_problems_are_told_at_once() -> None:
    nodes = [helper.make_node(kind, ["x"], [kind], kind, domain="of.nobody") for kind in ("Whirl", "Twirl")]
    proto = model([*nodes, helper.make_node("Add", ["Whirl", "Twirl"], ["y"], "sum")])
    proto.opset_import.append(helper.make_opsetid("of.nobody", 3))
    with pytest.raises(UnsupportedModelError) as caught:
        run(proto)
    assert [(p.node, p.operator) for p in caught.value.problems] == [
        ("Whirl", "of.nobody.Whirl"), ("Twirl", "of.nobody.Twirl"),
    ] or [p.node for p in caught.value.problems] == ["Whirl", "Twirl"]  # fmt: skip
    assert all(p.reason for p in caught.value.problems)


# Feeds.


@pytest.fixture(scope="module")
def session() -> tinycnn.InferenceSession:
    return tinycnn.InferenceSession(LENET)


X = np.zeros((1, 1, 28, 28), np.float32)


@pytest.mark.parametrize(
    ("feeds", "error", "culprit"),
    [
        ({}, FeedError, "image"),
        ({"picture": X}, FeedError, "picture"),
        ({"image": X, "more": X}, FeedError, "more"),
        ({"image": X[0]}, FeedError, "1x28x28"),
        ({"image": X[:, :, :27]}, FeedError, "27"),
        ({"image": X[None]}, FeedError, "image"),
        ({"image": np.float32(1)}, FeedError, "scalar"),
        ({"image": X.astype(np.float64)}, FeedTypeError, "float64"),
        ({"image": X.astype(np.int64)}, FeedTypeError, "int64"),
        ({"image": X.astype(complex)}, FeedTypeError, "complex"),
        ({"image": X.astype(object)}, FeedTypeError, "object"),
        ({"image": "text"}, FeedTypeError, "str"),
        ({"image": None}, FeedTypeError, "None"),
        ({"image": [[1, 2], [3]]}, FeedTypeError, "image"),
        ({"image": [["a"]]}, FeedTypeError, "image"),
    ],
)
def test_a_feed_that_does_not_fit(
    session: tinycnn.InferenceSession, feeds: dict[str, Any], error: type, culprit: str
) -> None:
    with pytest.raises(error, match=culprit):
        session.run(None, feeds)


def test_a_batch_of_none(session: tinycnn.InferenceSession) -> None:
    try:
        assert session.run(None, {"image": X[:0]})[0].shape == (0, 10)
    except TinyCnnError as error:
        assert "image" in str(error)


def test_feeds_in_any_memory_order(session: tinycnn.InferenceSession) -> None:
    x = np.random.default_rng(0).random((3, 1, 28, 28), np.float32)
    [wanted] = session.run(None, {"image": x})
    for other in (np.asfortranarray(x), x[::-1][::-1], x.tolist(), x.astype(">f4").astype("<f4")):
        np.testing.assert_array_equal(session.run(None, {"image": other})[0], wanted)


def test_an_output_that_does_not_exist(session: tinycnn.InferenceSession) -> None:
    with pytest.raises(FeedError, match="nothing"):
        session.run(["nothing"], {"image": X})


# Options.


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"conv_algorithm": "guess"}, "guess"),
        ({"conv_algorithm": {"conv1": "guess"}}, "guess"),
        ({"conv_algorithm": {"conv1": "depthwise"}}, "conv1"),
        ({"dropout": "maybe"}, "maybe"),
        ({"conv_algorithm": {"conv9": "direct"}}, "conv9"),
        ({"intra_op_num_threads": -1}, "-1"),
        ({"intra_op_num_threads": 1 << 20}, "1048576"),
    ],
)
def test_an_option_that_does_not_exist(options: dict[str, Any], culprit: str) -> None:
    with pytest.raises(OptionError, match=culprit):
        s = tinycnn.InferenceSession(LENET, tinycnn.SessionOptions(**options))
        s.run(None, {"image": X})


def test_a_graph_has_no_dropout_left_to_decide() -> None:
    with pytest.raises(OptionError, match="'scale' is for files"):
        tinycnn.InferenceSession(tinycnn.load(LENET), tinycnn.SessionOptions(dropout="scale"))


def test_a_provider_that_does_not_exist() -> None:
    assert tinycnn.get_available_providers()
    with pytest.raises(OptionError, match="TensorrtExecutionProvider"):
        tinycnn.InferenceSession(LENET, providers=["TensorrtExecutionProvider"])
