"""What the registry says of the zoo's networks, and that it is enough to name photographs with them."""

import hashlib
import os
import re
from pathlib import Path

import pytest

from tinycnn import knobs
from tinycnn.classify import Classifier
from tinycnn.errors import OptionError
from tinycnn.models import zoo

SHARED = Path(os.environ.get("TINYCNN_SHARED", Path(__file__).parents[4] / "shared"))
FILES, PHOTOS, LABELS = SHARED / "zoo", SHARED / "photos", SHARED / "labels" / "synset.txt"
needs_networks = pytest.mark.skipif(not FILES.exists(), reason=f"no networks in {FILES}")

ENTRIES = [zoo.entry(name) for name in zoo.names()]
KNOWN = [file for entry in ENTRIES for file in entry.files if (FILES / file.name).exists()]


def wordnet_ids() -> list[str]:
    lines = (zoo.HERE / "imagenet.txt").read_text("utf-8").splitlines()
    return [line.split(" ")[0] for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_is_complete(entry: zoo.Entry) -> None:
    assert entry.network and entry.licence in ("Apache-2.0", "BSD-3-Clause", "MIT")
    assert len(entry.labels) in (10, 1000)
    assert entry.source.startswith("https://github.com/onnx/models/")
    assert all(a is None or 0.5 < a < 1 for a in (entry.top1, entry.top5))
    assert "/" in entry.files[0].path
    for file in entry.files:
        name, shape = file.input.split(" ")
        size = shape.split("x")[1:3] if file.preprocess.layout == "nhwc" else shape.split("x")[2:]
        assert name and tuple(map(int, size)) == file.preprocess.size
        assert file.name.endswith(".onnx") and ".." not in file.path
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.bytes is None or file.bytes > 10_000
        assert all(
            address.startswith("https://huggingface.co/onnxmodelzoo/") for address in file.addresses(zoo.addresses())
        )


def test_a_file_belongs_to_one_network() -> None:
    names = [file.name for entry in ENTRIES for file in entry.files]
    assert len(names) == len(set(names))
    hashes = {file.sha256: entry.name for entry in ENTRIES for file in entry.files if file.sha256}
    assert all(hashes[file.sha256] == entry.name for entry in ENTRIES for file in entry.files if file.sha256)


def test_an_unknown_network_gets_the_nearest_names() -> None:
    with pytest.raises(OptionError, match="squeezenet1.2.*squeezenet1.1.*--list"):
        zoo.entry("squeezenet1.2")


def test_the_classes_of_imagenet() -> None:
    names, ids = zoo.class_names("imagenet"), wordnet_ids()
    assert len(set(names)) == len(set(ids)) == 1000
    assert ids == sorted(ids)
    assert (names[0], names[258], names[999]) == ("tench", "Samoyed", "toilet tissue")


@pytest.mark.skipif(not LABELS.exists(), reason=f"no list of classes: {LABELS}")
def test_the_classes_are_those_that_others_list() -> None:
    others = [line.split(" ", 1) for line in LABELS.read_text("utf-8").splitlines()]
    assert wordnet_ids() == [identity for identity, _ in others]
    for name, (_, words) in zip(zoo.class_names("imagenet"), others, strict=True):
        assert name.partition(" (")[0] in words


@pytest.mark.skipif(not KNOWN, reason=f"no networks in {FILES}")
@pytest.mark.parametrize("file", KNOWN, ids=lambda file: file.name)
def test_files_are_those_that_the_registry_knows(file: zoo.File) -> None:
    content = (FILES / file.name).read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (file.bytes, file.sha256)


@needs_networks
@pytest.mark.parametrize("name", ["squeezenet1.1", "googlenet", "mobilenetv2", "mobilenetv2-qdq", "shufflenetv2-int8"])
@pytest.mark.parametrize(
    ("photo", "wanted"),
    [
        ("dog_samoyed.jpg", "Samoyed"),
        ("kitten_224.png", "tabby"),
        ("goldfish.jpg", "goldfish"),
        ("pelican.jpeg", "pelican"),
    ],
)
def test_photographs_are_named(name: str, photo: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(knobs.ZOO.name, str(FILES))
    assert Classifier(name)(PHOTOS / photo, 1)[0].label == wanted


@needs_networks
@pytest.mark.parametrize("digit", [3, 7])
def test_digits_are_named(digit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(knobs.ZOO.name, str(FILES))
    [guess] = Classifier("mnist")(PHOTOS / f"mnist_digit_{digit}.jpg", 1)
    assert guess.label == str(digit) and guess.probability > 0.9


@needs_networks
@pytest.mark.parametrize("name", ["squeezenet1.1", "googlenet", "mobilenetv2"])
def test_the_published_top_5_accuracy_is_reached(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one photograph of each of 40 classes; the name of a file tells its class."""
    monkeypatch.setenv(knobs.ZOO.name, str(FILES))
    ids, classify = wordnet_ids(), Classifier(name)
    photos = sorted((PHOTOS / "imagenet").iterdir())
    right = sum(photo.name.split("_")[0] in [ids[guess.index] for guess in classify(photo)] for photo in photos)
    assert len(photos) == 40
    assert right / 40 >= zoo.entry(name).top5


@needs_networks
def test_ten_crops_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(knobs.ZOO.name, str(FILES))
    [one], [ten] = (
        Classifier("squeezenet1.1", ten_crop=crops)(PHOTOS / "kitten_224.png", 1) for crops in (False, True)
    )
    assert one.label == ten.label == "tabby"
    assert one.probability != ten.probability
