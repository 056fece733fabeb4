"""The default network does what its card says, on the engine that the package brings."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from PIL import Image

import tinycnn
from tinycnn.errors import OptionError
from tinycnn.models import Card, card, card_names, load_picture, read_mnist

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("TINYCNN_SHARED", ROOT.parent / "shared"))
TEST_IMAGES = SHARED / "datasets" / "t10k-images-idx3-ubyte.gz"

needs_mnist = pytest.mark.skipif(not TEST_IMAGES.exists(), reason=f"no MNIST test digits: {TEST_IMAGES}")


@pytest.fixture(scope="module")
def lenet5() -> Card:
    return card("lenet5")


def named(network: Card, images: NDArray[np.float32]) -> NDArray[np.int64]:
    """The digits that the network reads in images [n, 1, 28, 28]."""
    session = tinycnn.InferenceSession(str(network.path))
    batches = np.split(images, range(1000, len(images), 1000))
    return np.concatenate(
        [session.run([network.output], {network.input: batch})[0].argmax(axis=1) for batch in batches]
    )


@needs_mnist
def test_the_accuracy_on_the_card_reproduces(lenet5: Card) -> None:
    images, labels = read_mnist(TEST_IMAGES.parent)
    assert len(images) == lenet5.accuracy.images
    inputs = images[:, None].astype(np.float32) * np.float32(lenet5.preprocess.scale)
    correct = np.count_nonzero(named(lenet5, inputs) == labels)
    assert correct == round(lenet5.accuracy.value * len(images))
    assert correct >= 9920


@needs_mnist
def test_test_digits_survive_the_preparation_of_pictures(lenet5: Card) -> None:
    images, labels = (array[:1000] for array in read_mnist(TEST_IMAGES.parent))
    for pictures in (images, 255 - images):
        inputs = np.concatenate([lenet5.preprocess.apply(Image.fromarray(picture)) for picture in pictures])
        assert np.count_nonzero(named(lenet5, inputs) == labels) >= 990


@pytest.mark.parametrize("digit", range(10))
def test_each_sample_is_named(lenet5: Card, digit: int) -> None:
    picture = load_picture(ROOT / "models" / "samples" / f"digit_{digit}.png")
    assert lenet5.labels[named(lenet5, lenet5.preprocess.apply(picture))[0]] == str(digit)


def test_the_card_agrees_with_the_file(lenet5: Card) -> None:
    graph = onnx.load(lenet5.path).graph
    assert ([value.name for value in graph.input], [value.name for value in graph.output]) == (["image"], ["digit"])
    assert (lenet5.name, lenet5.input, lenet5.output) == ("lenet5", "image", "digit")
    assert lenet5.labels == tuple("0123456789")
    assert lenet5.path.stat().st_size < 300_000


def test_an_unknown_network_is_refused_with_those_that_exist() -> None:
    assert "lenet5" in card_names()
    with pytest.raises(OptionError, match="lenet5"):
        card("../lenet5")
