"""A session keeps no weights but those it packed, and reads its model again for values that it did not compute."""

import gc
import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tinycnn
from tinycnn.errors import ModelFormatError
from tinycnn.planner.weights import WeightStore

X = np.random.default_rng(0).standard_normal((1, 4, 8, 8), np.float32)


def model() -> onnx.ModelProto:
    """Conv, BatchNormalization, Relu; "c" is a value that folding does away with."""
    rng = np.random.default_rng(1)
    arrays = {"w": rng.standard_normal((64, 4, 5, 5)), "s": rng.random(64), "b": rng.random(64), "m": rng.random(64)}
    weights = [numpy_helper.from_array(a.astype(np.float32), name) for name, a in (arrays | {"v": arrays["s"]}).items()]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"]),
        helper.make_node("Relu", ["n"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, d) for n, d in (("x", X.shape), ("y", (1, 64, 4, 4))))
    graph = helper.make_graph(nodes, "g", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    onnx.save(model(), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


@pytest.fixture
def external(tmp_path: Path) -> Path:
    onnx.save(model(), tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=1000)
    return tmp_path / "m.onnx"


def test_weights_are_let_go_one_by_one_as_they_are_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    arrays = {f"w{i}": rng.standard_normal((16, 16, 3, 3), np.float32) for i in range(6)}
    nodes = [helper.make_node("Conv", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(6)]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 16, d, d)) for n, d in (("x0", 20), ("x6", 8)))
    graph = helper.make_graph(nodes, "g", [x], [y], [numpy_helper.from_array(a, name) for name, a in arrays.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)]), tmp_path / "m.onnx")
    seen: dict[int, weakref.ref[np.ndarray]] = {}
    alive: list[int] = []
    get = WeightStore.get

    def watched(store: WeightStore, key: tuple[object, ...], constants: list[np.ndarray], make: Any) -> np.ndarray:
        alive.append(sum(constant() is not None for constant in seen.values()))
        seen.update((len(seen), weakref.ref(constant)) for constant in constants if constant.ndim == 4)
        return get(store, key, constants, make)

    monkeypatch.setattr(WeightStore, "get", watched)
    gc.disable()
    try:
        tinycnn.InferenceSession(tmp_path / "m.onnx")
    finally:
        gc.enable()
    assert len(seen) >= 6 and max(alive) <= 2


def test_weights_that_were_folded_are_let_go(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[weakref.ref[np.ndarray]] = []
    load = tinycnn.converters.load_onnx

    def watched(*args: object, **options: object) -> tinycnn.Graph:
        graph = load(*args, **options)
        seen.append(weakref.ref(graph.constants["w"]))
        return graph

    monkeypatch.setattr(tinycnn.converters, "load_onnx", watched)
    session = tinycnn.InferenceSession(path)
    gc.collect()
    assert len(seen) == 1 and seen[0]() is None
    [c] = session.run(["c"], {"x": X})
    assert len(seen) == 2
    np.testing.assert_array_equal(session.run(["c"], {"x": X})[0], c)
    assert len(seen) == 2


@pytest.mark.parametrize("change", ["rewritten", "gone"])
@pytest.mark.parametrize("where", ["path", "external"])
def test_a_file_that_changed_is_told(where: str, change: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(where)
    session = tinycnn.InferenceSession(path)
    [y] = session.run(None, {"x": X})
    changed = path if where == "path" else path.with_name("w.bin")
    if change == "gone":
        changed.unlink()
    else:
        data = bytearray(changed.read_bytes())
        data[-9] ^= 1
        changed.write_bytes(data)
        os.utime(changed, ns=(1, 1))
    with pytest.raises(ModelFormatError, match=f"{changed.name}.*changed"):
        session.run(["c"], {"x": X})
    np.testing.assert_array_equal(session.run(None, {"x": X})[0], y)


def test_bytes_and_models_are_read_again(path: Path) -> None:
    [wanted] = tinycnn.InferenceSession(path).run(["c"], {"x": X})
    for source in (path.read_bytes(), model()):
        np.testing.assert_array_equal(tinycnn.InferenceSession(source).run(["c"], {"x": X})[0], wanted)
