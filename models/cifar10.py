"""The CIFAR-10 pictures: reading a zip of picture files in which the folder is the class."""

import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tinycnn.errors import PictureError
from tinycnn.models.preprocess import FORMATS

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""The classes in the order of their numbers, as in the original data."""

SIZE = (32, 32)
"""Width and height."""

MOST_BYTES = 1 << 20
"""Of a picture's file; beyond them it counts as damaged."""


def read_cifar10(path: str | Path, part: str = "test") -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures [n, 32, 32, 3] uint8 RGB and labels [n] int64, in the order of their names.

    path  a zip of files named {part}/{class}/{name}.jpg, or of another format in `preprocess.FORMATS`
    part  "train" or "test"

    Raises
    ------
    OSError
        The file cannot be read.
    PictureError
        It is no zip, is damaged, or has no picture of this part, or one that is damaged, of another size or of an
        unknown class. The message begins with the file's name.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009, chapter 3.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(n for n in archive.namelist() if n.startswith(f"{part}/") and not n.endswith("/"))
            labels = [class_of(name) for name in names]
            pictures = [decoded(archive, name) for name in names]
    except (zipfile.BadZipFile, PictureError) as error:
        raise PictureError(f"{path}: {error}") from error
    if not names:
        raise PictureError(f"{path}: no pictures of {part!r}")
    return np.stack(pictures), np.array(labels)


def class_of(name: str) -> int:
    """The class's number of a file {part}/{class}/{name}. Raises PictureError where it is none of CIFAR-10's."""
    folder = name.split("/")[1]
    if folder not in CLASSES:
        raise PictureError(f"{name}: {folder!r} is no class of CIFAR-10")
    return CLASSES.index(folder)


def decoded(archive: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    """The pixels [32, 32, 3] of a picture file. Raises PictureError when it is damaged or of another size."""
    try:
        with archive.open(name) as file, Image.open(io.BytesIO(file.read(MOST_BYTES)), formats=FORMATS) as image:
            if image.size != SIZE:
                raise ValueError(f"{image.width}x{image.height} pixels, not 32x32")
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # what zip and picture decoders raise, of every kind
        raise PictureError(f"{name}: {error or type(error).__name__}") from error
