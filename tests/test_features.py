"""Features of pictures: those that the session computes, whole files only."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import tinycnn
from tinycnn import knobs
from tinycnn.cli import main
from tinycnn.errors import LimitError, OptionError, PictureError
from tinycnn.features import extract, save_features
from tinycnn.models import card, load_picture
from tinycnn.picture_model import PictureModel

LENET = card("lenet5")
DIGITS = LENET.samples


@pytest.fixture(scope="module")
def model() -> PictureModel:
    return PictureModel.open("lenet5")


def invoke(*arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], env=environment, catch_exceptions=False)


def test_the_layers_of_a_network(model: PictureModel) -> None:
    shapes = {layer.name: layer.shape for layer in model.layers()}
    assert list(shapes)[:3] == ["conv1", "relu1", "pool1"]
    assert (shapes["pool2"], shapes["digit"]) == ((1, 16, 5, 5), (1, 10))
    assert {layer.operator for layer in model.layers()} == {"Conv", "Relu", "MaxPool", "Flatten", "Gemm"}


@pytest.mark.parametrize(("name", "value"), [("pool2", "pool2"), ("digit", "digit"), ("fc3", "digit")])
def test_a_layer_is_named_by_its_value_or_its_node(model: PictureModel, name: str, value: str) -> None:
    assert model.layer(name) == value


@pytest.mark.parametrize("name", ["pool3", "image", "", "CONV1"])
def test_an_unknown_layer_gets_the_nearest(model: PictureModel, name: str) -> None:
    with pytest.raises(OptionError, match=f"no layer is named '{name}'"):
        model.layer(name)
    with pytest.raises(OptionError, match="pool2, pool1"):
        model.layer("pool3")


@pytest.mark.parametrize("layer", ["conv1", "pool2", "fc2", "fc3"])
@pytest.mark.parametrize("batch", [1, 4, 10, 99])
def test_features_are_what_the_session_computes(model: PictureModel, layer: str, batch: int) -> None:
    x = np.concatenate([LENET.preprocess.apply(load_picture(path)) for path in DIGITS])
    [wanted] = tinycnn.InferenceSession(LENET.path).run([model.layer(layer)], {"image": x})
    seen: list[tuple[int, int | None]] = []
    y = extract(model, DIGITS, layer, batch=batch, progress=lambda done, total: seen.append((done, total)))
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-5)
    assert y.dtype == np.float32
    assert seen == [(min(done + batch, 10), 10) for done in range(0, 10, batch)]


def test_more_than_memory_is_refused(model: PictureModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(knobs.MEMORY.name, "5000000")
    extract(model, DIGITS, "fc1")
    with pytest.raises(LimitError, match=rf"188,160,000 bytes.*{knobs.MEMORY.name}"):
        extract(model, DIGITS * 1000, "conv1")


def test_the_command_writes_features_and_files(tmp_path: Path) -> None:
    file, folder = tmp_path / "features.npz", tmp_path / "digits"
    folder.mkdir()
    digits = [shutil.copy(path, folder) for path in DIGITS]
    done = invoke("features", folder, digits[3], "--model", "lenet5", "--layer", "fc2", "-o", file, "--batch", 3)
    assert done.exit_code == 0
    assert "fc2 of 11 pictures, 11x84 float32" in done.stdout
    with np.load(file) as saved:
        assert set(saved.files) == {"features", "pictures"}
        assert saved["pictures"].tolist() == [str(path) for path in (*digits, digits[3])]
        np.testing.assert_allclose(saved["features"][10], saved["features"][3], atol=1e-5)
    done = invoke("features", DIGITS[0], "--model", "lenet5", "--layer", "digit", "-o", file, "--json")
    assert json.loads(done.stdout) == {"output": str(file), "shape": [1, 10], "dtype": "float32"}
    assert {*tmp_path.iterdir()} == {file, folder}


def test_the_command_lists_layers() -> None:
    rows = json.loads(invoke("features", "--model", "lenet5", "--list", "--json").stdout)
    assert rows[0] == {"name": "conv1", "operator": "Conv", "node": "conv1", "shape": [1, 6, 28, 28]}
    assert "1x16x5x5" in invoke("features", "--model", "lenet5", "--list").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layer", "fc9"], "no layer is named 'fc9'; nearest: fc3, fc2, fc1"),
        (["--layer", "fc2", "--model", "absent.onnx"], "absent.onnx"),
        (["--layer", "fc2", "--model", "vgg16"], "`tinycnn pull vgg16` first"),
        (["--layer", "fc2", "damaged.png"], "damaged.png: not a picture"),
        (["--layer", "fc2", "empty"], "empty: no picture"),
    ],
)
def test_bad_input_leaves_nothing(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(knobs.ZOO.name, raising=False)
    monkeypatch.setenv(knobs.MODELS.name, str(tmp_path / "none"))
    (tmp_path / "damaged.png").write_text("not a picture")
    (tmp_path / "empty").mkdir()
    before = sorted(tmp_path.iterdir())
    done = invoke("features", DIGITS[0], "--model", "lenet5", *arguments, "-o", "out.npz")
    assert done.exit_code == 2
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_what_cannot_be_written_is_told_before_anything_is_computed(model: PictureModel, tmp_path: Path) -> None:
    for path in (tmp_path / "absent" / "f.npz", tmp_path):
        with pytest.raises(OSError, match=str(path)):
            save_features(path, model, ["never read"], "fc2")
    kept = tmp_path / "kept.npz"
    kept.write_bytes(b"as it was")
    with pytest.raises(PictureError):
        save_features(kept, model, [tmp_path / "absent.png"], "fc2")
    assert kept.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [kept]


@pytest.mark.parametrize("given", [[], ["a.png"], ["a.png", "--layer", "fc2"], ["--layer", "fc2", "-o", "f.npz"]])
def test_what_is_missing_is_said(given: list[str]) -> None:
    done = invoke("features", *given)
    assert done.exit_code == 2 and "--list" in done.stderr
