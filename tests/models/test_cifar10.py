"""The networks for CIFAR-10 do what their cards say, and the scaling of a dropout is what its training asks for."""

import io
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

import tinycnn
from tinycnn import passes
from tinycnn.classify import Classifier
from tinycnn.converters import save_onnx
from tinycnn.errors import PictureError
from tinycnn.models import Card, card, load_picture, read_cifar10
from tinycnn.models.cifar10 import CLASSES

ROOT = Path(__file__).parents[2]
PICTURES = Path(os.environ.get("TINYCNN_SHARED", ROOT.parent / "shared")) / "datasets" / "cifar10_jpeg.zip"

needs_cifar10 = pytest.mark.skipif(not PICTURES.exists(), reason=f"no pictures of CIFAR-10: {PICTURES}")
RESNET, VGG = card("cifar10_resnet"), card("cifar10_vgg")
SHIP = next(path for path in RESNET.samples if path.stem == "scene_ship")
each_network = pytest.mark.parametrize("network", [RESNET, VGG], ids=lambda network: network.name)

Scores = NDArray[np.float32]


@pytest.fixture(scope="module")
def cifar10() -> tuple[Scores, NDArray[np.int64]]:
    """The 10,000 inputs [n, 3, 32, 32], prepared as the card of either network says, and their labels [n]."""
    assert RESNET.preprocess == VGG.preprocess
    pictures, labels = read_cifar10(PICTURES)
    return np.concatenate([RESNET.preprocess.apply(Image.fromarray(picture)) for picture in pictures]), labels


def scores(model: str | onnx.ModelProto, images: Scores) -> Scores:
    session = tinycnn.InferenceSession(model)
    batches = np.split(images, range(500, len(images), 500))
    return np.concatenate([session.run(["class"], {"image": batch})[0] for batch in batches])


def share_right(result: Scores, labels: NDArray[np.int64]) -> float:
    return float((result.argmax(axis=1) == labels).mean())


@needs_cifar10
@each_network
def test_the_accuracy_on_the_card_reproduces(network: Card, cifar10: tuple[Scores, NDArray[np.int64]]) -> None:
    images, labels = cifar10
    assert len(images) == network.accuracy.images == 10_000
    assert share_right(scores(str(network.path), images), labels) == network.accuracy.value


@needs_cifar10
def test_the_accuracy_without_scaling_is_that_on_the_card(cifar10: tuple[Scores, NDArray[np.int64]]) -> None:
    images, labels = cifar10
    proto = onnx.load(VGG.path)
    del proto.metadata_props[:]
    assert share_right(scores(proto, images), labels) == VGG.comparisons[0].value


@needs_cifar10
def test_folded_weights_give_what_multiplying_gives(cifar10: tuple[Scores, NDArray[np.int64]], tmp_path: Path) -> None:
    """Scores of the network with a Mul for each dropout, in onnxruntime, against those of the network without any."""
    runtime = pytest.importorskip("onnxruntime")
    images, _ = cifar10
    multiplying = tinycnn.load(VGG.path)
    save_onnx(multiplying, tmp_path / "multiplying.onnx")
    assert [node.op.kind for node in multiplying.nodes].count("Mul") == 5
    assert [node.op_type for node in onnx.load(tmp_path / "multiplying.onnx").graph.node].count("Mul") == 5
    assert {node.op.kind for node in passes.run(multiplying, passes.LOAD).nodes} == {
        "Conv",
        "MaxPool",
        "Flatten",
        "Gemm",
    }
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    other = runtime.InferenceSession(tmp_path / "multiplying.onnx", options, providers=["CPUExecutionProvider"])
    expected = np.concatenate([other.run(None, {"image": batch})[0] for batch in np.split(images, 20)])
    assert np.abs(scores(str(VGG.path), images) - expected).max() <= VGG.comparisons[1].value


def test_each_keep_probability_ends_in_the_weights_behind_it() -> None:
    before = tinycnn.load(VGG.path)
    after = passes.run(before, passes.LOAD)
    for keep, layer in zip((0.9, 0.75, 0.75, 0.5, 0.5), "conv1a conv2a conv3a dense4 dense5".split(), strict=True):
        weight = f"{layer}.weight"
        np.testing.assert_allclose(after.constants[weight], keep * before.constants[weight], rtol=1e-6)
        np.testing.assert_array_equal(after.constants[f"{layer}.bias"], before.constants[f"{layer}.bias"])


def test_batch_normalisation_stands_in_the_file_and_folds_at_import() -> None:
    kinds = [node.op_type for node in onnx.load(RESNET.path).graph.node]
    assert kinds.count("BatchNormalization") == kinds.count("Conv") == 15
    folded = [node.op.kind for node in passes.run(tinycnn.load(RESNET.path), passes.LOAD).nodes]
    assert folded.count("Conv") == 15 and "BatchNormalization" not in folded


@each_network
def test_each_scene_is_named(network: Card) -> None:
    assert len(network.samples) == 3
    for path in network.samples:
        result = scores(str(network.path), network.preprocess.apply(load_picture(path)))
        assert path.stem == f"scene_{network.labels[result.argmax()]}"


def padded(image: Image.Image, rows: int, columns: int) -> Image.Image:
    return Image.fromarray(np.pad(np.asarray(image), ((rows, rows), (columns, columns), (0, 0)), "edge"))


def deep(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


VARIANTS: Mapping[str, tuple[str, Callable[[Image.Image], Image.Image]]] = {
    "wide": ("png", lambda image: padded(image, 0, 200)),
    "tall": ("jpg", lambda image: padded(image, 200, 0)),
    "large": ("webp", lambda image: image.resize((3001, 3000))),
    "small": ("bmp", lambda image: image.resize((31, 33))),
    "alpha": ("png", lambda image: Image.merge("RGBA", (*image.split(), Image.new("L", image.size, 220)))),
    "grey": ("jpg", lambda image: image.convert("L")),
    "16 bit": ("png", deep),
    "CMYK": ("jpg", lambda image: image.convert("CMYK")),
    "palette": ("gif", lambda image: image.convert("P", palette=Image.Palette.ADAPTIVE)),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_ship_is_one_in_any_size_and_mode(tmp_path: Path, variant: str) -> None:
    suffix, change = VARIANTS[variant]
    change(load_picture(SHIP)).save(tmp_path / f"ship.{suffix}")
    assert Classifier(RESNET.name)(tmp_path / f"ship.{suffix}", 1)[0].label == "ship"


def test_a_ship_is_one_however_the_camera_was_held(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    load_picture(SHIP).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif)
    [turned], [upright] = (Classifier(RESNET.name)(path, 1) for path in (tmp_path / "turned.jpg", SHIP))
    assert turned.label == "ship" and turned.probability == pytest.approx(upright.probability, abs=0.05)


@each_network
def test_the_card_agrees_with_the_file(network: Card) -> None:
    graph = onnx.load(network.path).graph
    assert [value.name for value in graph.input] == [network.input] == ["image"]
    assert [value.name for value in graph.output] == [network.output] == ["class"]
    assert network.labels == CLASSES
    assert network.path.stat().st_size < 2_000_000


def picture(size: tuple[int, int] = (32, 32)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, "navy").save(buffer, "PNG")
    return buffer.getvalue()


def archive(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return path


def test_pictures_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    files = {"test/truck/1.png": picture(), "test/cat/2.png": picture(), "train/dog/3.png": picture(), "test/": b""}
    pictures, labels = read_cifar10(archive(tmp_path / "a.zip", **files))
    assert (pictures.shape, pictures.dtype, labels.tolist()) == ((2, 32, 32, 3), np.uint8, [3, 9])
    assert pictures[0, 0, 0].tolist() == [0, 0, 128]


@pytest.mark.parametrize(
    ("files", "culprit"),
    [
        ({}, "'test'"),
        ({"train/cat/1.png": picture()}, "'test'"),
        ({"test/yak/1.png": picture()}, "yak"),
        ({"test/1.png": picture()}, "1.png"),
        ({"test/cat/1.png": picture((32, 31))}, "32x31"),
    ],
    ids=["empty", "another part", "another class", "no class", "another size"],
)
def test_what_is_not_cifar10_is_refused(tmp_path: Path, files: dict[str, bytes], culprit: str) -> None:
    with pytest.raises(PictureError, match=rf"a\.zip: .*{culprit}"):
        read_cifar10(archive(tmp_path / "a.zip", **files))


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"a\.zip: test/cat/1\.png"):
        read_cifar10(archive(tmp_path / "a.zip", **{"test/cat/1.png": picture()[:50]}))
    (tmp_path / "b.zip").write_bytes(b"no zip")
    with pytest.raises(PictureError, match=r"b\.zip"):
        read_cifar10(tmp_path / "b.zip")
