"""Networks that take pictures, by name and by file, and what is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tinycnn.classify import Classifier
from tinycnn.errors import OptionError
from tinycnn.models import card, cards, load_picture
from tinycnn.picture_model import PictureModel

LENET = card("lenet5")
SEVEN = next(path for path in LENET.samples if path.stem == "digit_7")


def means(folder: Path, shape: list[int | str], y: list[int | str], axes: list[int]) -> str:
    """A model whose output is the mean of its input over axes."""
    node = helper.make_node("ReduceMean", ["x"], ["y"], axes=axes, keepdims=0)
    value = helper.make_tensor_value_info
    graph = helper.make_graph([node], "g", [value("x", TensorProto.FLOAT, shape)], [value("y", TensorProto.FLOAT, y)])
    path = folder / "means.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return str(path)


@pytest.mark.parametrize("batch", [1, 2, 3, "N"])
def test_batches_of_any_size_go_through(tmp_path: Path, batch: int | str) -> None:
    model = PictureModel.open(means(tmp_path, [batch, 3, 4, 5], [batch, 3], [2, 3]), preset="raw")
    x = np.random.default_rng(0).random((5, 3, 4, 5), np.float32)
    [y] = model.run(x)
    np.testing.assert_allclose(y, x.mean(axis=(2, 3)), rtol=1e-6)
    [same] = model.run(x, ["x"])
    np.testing.assert_array_equal(same, x)


def test_an_output_without_a_batch_is_one_row(tmp_path: Path) -> None:
    model = PictureModel.open(means(tmp_path, [1, 3, 4, 5], [3], [0, 2, 3]), preset="raw")
    assert model.run(np.ones((2, 3, 4, 5), np.float32))[0].shape == (2, 3)
    model = PictureModel.open(means(tmp_path, ["N", 3, 4, 5], [3], [0, 2, 3]), preset="raw")
    with pytest.raises(OptionError, match=r"'y' of shape \[3\] holds no row for each of 2 pictures"):
        model.run(np.ones((2, 3, 4, 5), np.float32))


def test_the_layers_of_a_model_in_f16_are_told(tmp_path: Path) -> None:
    half = TensorProto.FLOAT16
    weights = numpy_helper.from_array(np.ones((2, 3, 1, 1), np.float16), "w")
    x, y = (helper.make_tensor_value_info(name, half, [1, c, 4, 5]) for name, c in (("x", 3), ("y", 2)))
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", [x], [y], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "m.onnx")
    [layer] = PictureModel.open(str(tmp_path / "m.onnx"), preset="raw").layers()
    assert (layer.name, layer.shape) == ("y", (1, 2, 4, 5))


@pytest.mark.parametrize(
    ("shape", "size", "layout", "colour"),
    [
        (["N", 3, 32, 48], (32, 48), "nchw", "rgb"),
        (["N", 32, 48, 3], (32, 48), "nhwc", "rgb"),
        ([1, 1, 28, 28], (28, 28), "nchw", "grey"),
        (["N", 3, "h", "w"], (224, 224), "nchw", "rgb"),
    ],
)
def test_a_file_gets_the_preprocessing_of_its_input(
    tmp_path: Path, shape: list[int | str], size: tuple[int, int], layout: str, colour: str
) -> None:
    p = PictureModel.open(means(tmp_path, shape, shape[:1], [1, 2, 3])).preprocess
    assert (p.size, p.layout, p.colour) == (size, layout, colour)
    assert p.short_side == (256 if size == (224, 224) else None)


def test_a_model_without_a_picture_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="one picture input is needed; this one takes x Nx3"):
        PictureModel.open(means(tmp_path, ["N", 3], ["N"], [1]))


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("lenet6", {}, "no file or network is named 'lenet6'; nearest: lenet5.*tinycnn pull --list"),
        ("lenet5", {"preset": "unit"}, "'unit': lenet5 comes with its own preprocessing"),
        ("squeezenet1.1", {"preset": "unit"}, "'unit': squeezenet1.1 comes with its own preprocessing"),
        ("trained:lenet6", {}, "no file or network is named 'lenet6'; nearest: lenet5"),
        (str(LENET.path), {"preset": "mystery"}, "no preset is named 'mystery'; there are imagenet, caffe, unit, raw"),
    ],
)
def test_what_does_not_exist_is_refused(model: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        PictureModel.open(model, **options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no class names"),
        (b"\xff\xfe\x00", "not a text"),
        (b"one\ntwo\n", "2 class names for a network of 10 classes"),
    ],
)
def test_class_names_that_do_not_fit(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(OptionError, match=message):
        Classifier("lenet5", labels=str(tmp_path / "labels.txt"))(SEVEN)


def test_without_class_names_numbers_answer() -> None:
    guess = Classifier(str(LENET.path), preset="unit")(SEVEN, 1)[0]
    assert guess.label == str(guess.index)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("labels", "names"), "lenet5.toml: the card has no labels"),
        (("[preprocess]", "[feeding]"), "lenet5.toml: the card has no preprocess"),
        (("licence", "license"), "lenet5.toml: not a card: .*license"),
        (("name =", "name ="[:4]), "lenet5.toml: not a card: "),
        (("size", "sise"), "sise"),
    ],
)
def test_a_damaged_card_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], message: str
) -> None:
    text = (cards.FOLDER / "lenet5.toml").read_text()
    assert change[0] in text
    (tmp_path / "lenet5.toml").write_text(text.replace(*change))
    monkeypatch.setattr(cards, "FOLDER", tmp_path)
    with pytest.raises(OptionError, match=message):
        PictureModel.open("lenet5")


@pytest.mark.parametrize("name", ["lenet5", "trained:lenet5"])
def test_a_named_network_reads_its_pictures(name: str) -> None:
    model = PictureModel.open(name)
    assert model.samples == LENET.samples
    [scores] = model.run(model.preprocess.apply(load_picture(SEVEN)))
    assert model.label(int(scores[0].argmax()), scores.shape[1]) == "7"
