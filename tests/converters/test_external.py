"""Tensor data beside the model: only from inside its folder, only what is there."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.converters.onnx_models import draw, model
from tinycnn.converters import load_onnx
from tinycnn.errors import ModelFormatError

W = draw(3, 4)


def save(folder: Path, **entries: str) -> Path:
    """A model whose weights' external data entry says this."""
    proto = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": draw(2, 3)}, {"w": W})
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    path = folder / "m.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "model"
    (inner / "sub").mkdir(parents=True)
    for place in (inner / "w.bin", inner / "sub" / "w.bin", tmp_path / "w.bin"):
        place.write_bytes(b"\xff" * 8 + W.tobytes())
    return inner


@pytest.mark.parametrize("location", ["w.bin", "sub/w.bin", "./w.bin"])
@pytest.mark.parametrize("length", [{}, {"length": str(W.nbytes)}])
def test_inside_the_folder(folder: Path, location: str, length: dict[str, str]) -> None:
    graph = load_onnx(save(folder, location=location, offset="8", **length))
    np.testing.assert_array_equal(graph.constants["w"], W)


def test_a_relative_path_of_the_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(folder, location="w.bin", offset="8")
    monkeypatch.chdir(folder)
    np.testing.assert_array_equal(load_onnx("m.onnx").constants["w"], W)


REFUSED = {
    "parent": ({"location": "../w.bin"}, "not a relative path inside"),
    "parent in the middle": ({"location": "sub/../../w.bin"}, "not a relative path inside"),
    "absolute": ({"location": "/etc/passwd"}, "not a relative path inside"),
    "drive": ({"location": "C:w.bin"}, "not a relative path inside"),
    "backslash": ({"location": "..\\w.bin"}, "not a relative path inside"),
    "null byte": ({"location": "w.bin\0"}, "not a relative path inside"),
    "no location": ({}, "not a relative path inside"),
    "folder": ({"location": "sub"}, "not a file|Is a directory"),
    "absent": ({"location": "v.bin"}, "No such file"),
    "symbolic link": ({"location": "link.bin"}, "symbolic link"),
    "through a linked folder": ({"location": "up/w.bin"}, "symbolic link"),
    "hard link": ({"location": "hard.bin"}, "hard link"),
    "pipe": ({"location": "pipe"}, "not a file"),
    "beyond the end": ({"location": "w.bin", "offset": "9"}, "do not exist"),
    "far beyond the end": ({"location": "w.bin", "offset": "9" * 18}, "do not exist"),
    "negative offset": ({"location": "w.bin", "offset": "-8"}, "not a number of bytes"),
    "offset that is no number": ({"location": "w.bin", "offset": "1e3"}, "not a number of bytes"),
    "endless offset": ({"location": "w.bin", "offset": "9" * 5000}, "not a number of bytes"),
    "negative length": ({"location": "w.bin", "length": "-1"}, "not a number of bytes"),
    "wrong length": ({"location": "w.bin", "length": "47"}, "needs 48 bytes, its external data has 47"),
    "unknown key": ({"location": "w.bin", "mode": "w"}, "unknown external data key 'mode'"),
}


@pytest.mark.parametrize("entries, message", REFUSED.values(), ids=REFUSED)
def test_refused(folder: Path, entries: dict[str, str], message: str) -> None:
    (folder / "link.bin").symlink_to(folder.parent / "w.bin")
    (folder / "up").symlink_to(folder.parent)
    os.link(folder.parent / "w.bin", folder / "hard.bin")
    os.mkfifo(folder / "pipe")
    with pytest.raises(ModelFormatError, match=message) as caught:
        load_onnx(save(folder, **entries))
    assert "'w'" in str(caught.value)


def test_a_link_inside_the_folder_is_refused_too(folder: Path) -> None:
    (folder / "link.bin").symlink_to("w.bin")
    with pytest.raises(ModelFormatError, match="symbolic link"):
        load_onnx(save(folder, location="link.bin", offset="8"))


def test_not_at_all_without_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(folder, location="w.bin", offset="8")
    monkeypatch.chdir(folder)
    for source in (path.read_bytes(), onnx.load(path, load_external_data=False)):
        with pytest.raises(ModelFormatError, match="came without a folder"):
            load_onnx(source)


def test_not_from_inside_a_subgraph(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The onnx package would read such data from the working directory."""
    inner = onnx.load(save(folder, location="w.bin", offset="8"), load_external_data=False)
    value = helper.make_tensor_value_info("v", onnx.TensorProto.FLOAT, [3, 4])
    branch = helper.make_graph([helper.make_node("Identity", ["w"], ["v"])], "b", [], [value], inner.graph.initializer)
    node = helper.make_node("If", ["c"], ["y"], "choice", then_branch=branch, else_branch=branch)
    proto = model([node], {"c": np.array(True)})
    (folder / "if.onnx").write_bytes(proto.SerializeToString())
    monkeypatch.chdir(folder)
    with pytest.raises(Exception, match="choice") as caught:
        load_onnx(folder / "if.onnx")
    assert "file" in str(caught.value)
