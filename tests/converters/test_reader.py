"""Hostile and broken models: each gets one error of ours that names the culprit."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.converters.onnx_models import draw, model
from tinycnn.converters import load_onnx
from tinycnn.errors import LimitError, ModelFormatError, TinyCnnError, UnsupportedModelError

X = {"x": draw(2, 3)}
W = {"w": draw(2, 3, seed=1)}


def relu(read: str = "x", write: str = "y") -> onnx.NodeProto:
    return helper.make_node("Relu", [read], [write], f"{write}_node")


def changed(change: Callable[[onnx.ModelProto], object]) -> onnx.ModelProto:
    """x + w, with something done to it."""
    proto = model([helper.make_node("Add", ["x", "w"], ["y"], "sum")], X, W)
    change(proto)
    return proto


def initialiser(proto: onnx.ModelProto) -> TensorProto:
    return proto.graph.initializer[0]


def set_dims(*dims: int) -> Callable[[onnx.ModelProto], None]:
    def change(proto: onnx.ModelProto) -> None:
        initialiser(proto).dims[:] = dims

    return change


def sparse(indices: np.ndarray, dims: tuple[int, ...]) -> Callable[[onnx.ModelProto], None]:
    def change(proto: onnx.ModelProto) -> None:
        del proto.graph.initializer[:]
        values = numpy_helper.from_array(draw(len(indices)), "w")
        proto.graph.sparse_initializer.append(
            helper.make_sparse_tensor(values, numpy_helper.from_array(indices, "i"), dims)
        )

    return change


MALFORMED = {
    "dims against data": (set_dims(2, 4), "'w' of shape .* needs 32 bytes, it has 24"),
    "negative size": (set_dims(-2, -3), "'w' has a negative size"),
    "unknown element type": (lambda m: setattr(initialiser(m), "data_type", 99), "'w' has the unknown element type 99"),
    "no element type": (lambda m: setattr(initialiser(m), "data_type", 0), "'w' has the unknown UNDEFINED"),
    "segment": (lambda m: setattr(initialiser(m).segment, "begin", 0), "'w' is stored in segments"),
    "twice the same initialiser": (lambda m: m.graph.initializer.append(initialiser(m)), "'w' is defined twice"),
    "nameless initialiser": (lambda m: setattr(initialiser(m), "name", ""), "no name"),
    "twice the same input": (lambda m: m.graph.input.append(m.graph.input[0]), "input 'x' twice"),
    "twice the same output": (lambda m: m.graph.output.append(m.graph.output[0]), "output 'y' twice"),
    "twice the same value": (lambda m: m.graph.node.append(relu()), "defines 'y' twice"),
    "a value over an input": (lambda m: m.graph.node.append(relu("y", "x")), "defines 'x' twice"),
    "undefined value": (lambda m: m.graph.node.append(relu("z", "q")), "reads 'z', which nothing"),
    "undefined output": (lambda m: m.graph.output.add(name="z"), "output 'z' is never computed"),
    "cycle": (lambda m: m.graph.node.extend([relu("a", "b"), relu("b", "a")]), "has a cycle through Relu 'b_node'"),
    "self cycle": (lambda m: m.graph.node.append(relu("a", "a")), "has a cycle through Relu 'a_node'"),
    "attribute twice": (
        lambda m: m.graph.node[0].attribute.extend([helper.make_attribute("axis", 1)] * 2), "'axis' twice",
    ),
    "sparse index outside": (sparse(np.array([1, 6]), (2, 3)), "index outside its shape"),
    "sparse index below": (sparse(np.array([[0, -1], [1, 1]]), (2, 3)), "index outside its shape"),
    "sparse indices of another rank": (sparse(np.array([[0], [1]]), (2, 3)), "do not fit"),
    "newer IR": (lambda m: setattr(m, "ir_version", 10**6), "IR version 1000000"),
    "no graph": (lambda m: m.ClearField("graph"), "holds no graph"),
}  # fmt: skip


@pytest.mark.parametrize("change, message", MALFORMED.values(), ids=MALFORMED)
def test_malformed(change: Callable[[onnx.ModelProto], object], message: str) -> None:
    with pytest.raises(ModelFormatError, match=message):
        load_onnx(changed(change))


LARGE = {
    "enormous tensor": (set_dims(1 << 40, 1 << 40), "'w' of shape"),
    "product beyond 64 bits": (set_dims(1 << 62, 1 << 62, 4), "'w' of shape"),
    "enormous sparse tensor": (sparse(np.array([0]), (1 << 40,)), "'w' of shape|initialisers"),
    "enormous input": (
        lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[0], "dim_value", 1 << 60), "input 'x'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change, message", LARGE.values(), ids=LARGE)
def test_too_large_is_refused_before_memory_is_asked_for(
    change: Callable[[onnx.ModelProto], object], message: str
) -> None:
    with pytest.raises(LimitError, match=message):
        load_onnx(changed(change))


def test_the_limit_is_on_all_initialisers_together(monkeypatch: pytest.MonkeyPatch) -> None:
    proto = model([helper.make_node("Add", ["a", "b"], ["y"])], {}, {"a": draw(10), "b": draw(10, seed=1)})
    monkeypatch.setenv("TINYCNN_MEMORY", "79")
    with pytest.raises(LimitError, match="80 bytes"):
        load_onnx(proto)
    monkeypatch.setenv("TINYCNN_MEMORY", "80")
    load_onnx(proto)


SOURCES = {
    "empty": (b"", "empty"),
    "garbage": (b"\xff" * 64, "truncated, or not an ONNX model"),
    "text": (b"<!DOCTYPE html><html></html>", "ONNX model|holds no graph"),
    "pointer of Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
    "truncated": (changed(lambda m: None).SerializeToString()[:-9], "truncated"),
    "number": (7, "not int"),
}


@pytest.mark.parametrize("source, message", SOURCES.values(), ids=SOURCES)
def test_sources_that_are_no_model(source: object, message: str) -> None:
    with pytest.raises(ModelFormatError, match=message):
        load_onnx(source)  # type: ignore[arg-type]


def test_paths_that_are_no_model(tmp_path: Path) -> None:
    (tmp_path / "empty.onnx").touch()
    os.mkfifo(tmp_path / "pipe.onnx")
    for path, message in (
        (tmp_path, "is a folder"),
        (tmp_path / "absent.onnx", "No such file"),
        (tmp_path / "empty.onnx", "empty"),
        (tmp_path / "pipe.onnx", "no regular file"),
        ("a\0b", "null byte"),
    ):
        with pytest.raises(ModelFormatError, match=message):
            load_onnx(path)


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.onnx").write_bytes(changed(lambda m: None).SerializeToString())
    monkeypatch.setenv("TINYCNN_MEMORY", "10")
    with pytest.raises(LimitError, match="m.onnx"):
        load_onnx(tmp_path / "m.onnx")


def test_names_that_are_not_utf8() -> None:
    data = changed(lambda m: None).SerializeToString().replace(b"\x01w", b"\x01\xff")
    with pytest.raises(ModelFormatError, match="not UTF-8"):
        load_onnx(data)


def test_unsorted_nodes_are_sorted() -> None:
    proto = model([relu("a", "y"), relu("x", "a")], X)
    assert [node.outputs for node in load_onnx(proto).nodes] == [("a",), ("y",)]


def test_the_source_is_not_changed() -> None:
    proto = changed(lambda m: None)
    before = proto.SerializeToString()
    load_onnx(proto)
    assert proto.SerializeToString() == before


def test_nesting_without_end() -> None:
    call = helper.make_node("Again", ["x"], ["y"], domain="own")
    proto = model([call], X, domains={"own": 1})
    proto.functions.append(helper.make_function("own", "Again", ["x"], ["y"], [call], [helper.make_opsetid("own", 1)]))
    with pytest.raises(ModelFormatError, match="calls itself"):
        load_onnx(proto)


def test_functions_that_multiply() -> None:
    """Each function calls the next twice: 2 ** 50 nodes in a model of a few kilobytes."""
    opsets = [helper.make_opsetid("own", 1), helper.make_opsetid("", 21)]
    proto = model([helper.make_node("F0", ["x"], ["y"], domain="own")], X, domains={"own": 1})
    for i in range(50):
        body = [helper.make_node(f"F{i + 1}", [a], [b], domain="own") for a, b in (("x", "t"), ("t", "y"))]
        proto.functions.append(helper.make_function("own", f"F{i}", ["x"], ["y"], body, opsets))
    proto.functions.append(helper.make_function("own", "F50", ["x"], ["y"], [relu()], opsets))
    with pytest.raises(LimitError, match="nodes"):
        load_onnx(proto)


def test_random_damage_never_ends_in_a_foreign_error() -> None:
    body = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1], auto_pad="NOTSET"),
        helper.make_node("Clip", ["c"], ["d"], "clip", min=0.0, max=6.0),
        helper.make_node("Upsample", ["d"], ["e"], "up", scales=[1.0, 1.0, 2.0, 2.0]),
        helper.make_node("Dropout", ["e"], ["f"], "drop", ratio=0.3),
        helper.make_node("Softmax", ["f"], ["y"], "soft", axis=1),
    ]
    feeds, weights = {"x": draw(1, 3, 5, 4)}, {"w": draw(2, 3, 3, 3), "b": draw(2)}
    data = model(body, feeds, weights, opset=8).SerializeToString()
    load_onnx(data)
    rng = random.Random(5)
    refused = 0
    for _ in range(2000):
        damaged = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(damaged))
            damaged[at] = rng.randrange(256)
        if rng.random() < 0.2:
            del damaged[rng.randrange(len(damaged)) :]
        try:
            load_onnx(bytes(damaged))
        except TinyCnnError:
            refused += 1
    assert refused > 500


def test_all_problems_at_once() -> None:
    nodes = [
        helper.make_node("Nonsense", ["x"], ["a"], "first"),
        helper.make_node("Relu", ["a"], ["b"], "second", slope=2.0),
        helper.make_node("Fancy", ["b"], ["c"], "third", domain="somewhere"),
        helper.make_node("Elu", ["c"], ["d"], "fourth", alpha=[1, 2]),
        helper.make_node("Relu", ["d", "d"], ["y"], "fifth"),
    ]
    with pytest.raises(UnsupportedModelError) as caught:
        load_onnx(model(nodes, X, domains={"somewhere": 3}))
    problems = caught.value.problems
    assert [p.node for p in problems] == ["first", "second", "third", "fourth", "fifth"]
    assert [p.operator for p in problems] == ["Nonsense", "Relu", "somewhere.Fancy", "Elu", "Relu"]
    assert [p.attribute for p in problems] == ["", "slope", "", "alpha", ""]
    assert [p.opset for p in problems] == [21, 21, 3, 21, 21]
    assert all(p.reason for p in problems)
    assert "5 problems" in str(caught.value)


def test_a_newer_opset_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="upgrade the onnx package"):
        load_onnx(changed(lambda m: setattr(m.opset_import[0], "version", 10**6)))


@pytest.mark.parametrize(
    ("kind", "inputs", "reason"),
    [
        ("Relu", [""], "takes 1 inputs, not 0"),
        ("Add", ["x", ""], "takes 2 inputs, not 1"),
        ("Add", ["", "x"], "input 0 is absent"),
        ("Conv", ["x", "", "w"], "input 1 is absent"),
        ("MaxPool", [""], "takes 1 inputs, not 0"),
    ],
)
def test_a_node_without_an_input_that_it_must_have(kind: str, inputs: list[str], reason: str) -> None:
    attributes = {"kernel_shape": [1]} if kind == "MaxPool" else {}
    proto = model([helper.make_node(kind, inputs, ["y"], "lonely", **attributes)], X, W)
    with pytest.raises(UnsupportedModelError, match=f"'lonely'.*{reason}"):
        load_onnx(proto)
