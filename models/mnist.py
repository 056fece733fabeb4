"""The MNIST digits: reading the original idx files, and preparing any drawn digit the way those were prepared."""

import gzip
from math import floor, prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

INK = 0.35
"""Share of the strongest ink from which a pixel belongs to the digit; below lie paper grain and JPEG noise."""


def read_idx(path: str | Path) -> NDArray[np.uint8]:
    """Read a gzip-compressed idx file of bytes: an array whose rank and shape stand in the file's header.

    Raises
    ------
    OSError
        The file cannot be read or is not gzip.
    ValueError
        The header does not announce unsigned bytes, or the length contradicts it.

    Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", file formats.
    """
    data = gzip.decompress(Path(path).read_bytes())
    if data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: not an idx file of unsigned bytes")
    shape = tuple(np.frombuffer(data, ">i4", count=data[3], offset=4).tolist())
    body = np.frombuffer(data, np.uint8, offset=4 + 4 * data[3])
    if body.size != prod(shape):
        raise ValueError(f"{path}: {body.size} bytes where the header announces {shape}")
    return body.reshape(shape)


def read_mnist(folder: str | Path, part: str = "t10k") -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images [n, 28, 28] and labels [n], both uint8; white digits (255) on black (0).

    `part` is "train" (60,000 digits) or "t10k" (the 10,000 of the test set). Raises as `read_idx` does.
    """
    folder = Path(folder)
    return read_idx(folder / f"{part}-images-idx3-ubyte.gz"), read_idx(folder / f"{part}-labels-idx1-ubyte.gz")


def centre_digit(grey: NDArray[Any], size: tuple[int, int]) -> NDArray[np.float32]:
    """Prepare one bright digit on a dark ground like those of MNIST.

    The ground is subtracted and the ink stretched to 255; the digit is scaled, its proportions kept, into a box of
    20/28 of the field and placed so that pixel [14, 14] holds its centre of mass. A picture without ink gives zeros.

    Parameters
    ----------
    grey : ndarray [h, w], uint8 or float, 0..255.
    size : height and width of the field in pixels; (28, 28) for MNIST.

    Returns
    -------
    ndarray [size], float32, 0..255.

    Source: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", section III.A.
    """
    field = np.zeros(size, np.float32)
    ink = _stretch(np.maximum(grey - np.median(frame(grey)), 0))
    rows, columns = (np.flatnonzero((ink >= 255 * INK).any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return field
    digit = Image.fromarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    ratio = min(size[0] * 20 / 28 / digit.height, size[1] * 20 / 28 / digit.width)
    shape = max(round(digit.width * ratio), 1), max(round(digit.height * ratio), 1)
    box = _stretch(np.asarray(digit.resize(shape, Image.Resampling.BILINEAR)))
    top, left = _start(box.sum(axis=1), size[0]), _start(box.sum(axis=0), size[1])
    field[top : top + box.shape[0], left : left + box.shape[1]] = box
    return field


def frame(grey: NDArray[Any]) -> NDArray[Any]:
    """The outermost pixels of a picture [h, w] as one row: a sample of its ground."""
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _stretch(ink: NDArray[Any]) -> NDArray[np.float32]:
    """Scale linearly so that the greatest value is 255; zeros stay."""
    return np.asarray(ink * (255 / max(float(ink.max()), 1e-6)), np.float32)


def _start(weights: NDArray[np.float32], full: int) -> int:
    """Where [n] weights begin in a row of `full` pixels so that pixel full // 2 holds their centre of mass."""
    centre = np.average(np.arange(weights.size) + 0.5, weights=weights)
    return int(np.clip(full // 2 - floor(centre), 0, full - weights.size))
