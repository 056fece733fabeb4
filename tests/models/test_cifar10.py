"""CIFAR-10 from a zip: in order, and refused where it is something else."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tinycnn.errors import PictureError
from tinycnn.models import read_cifar10


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
