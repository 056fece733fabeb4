"""Many picture files: found in folders, prepared in batches."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tinycnn.errors import PictureError
from tinycnn.models.preprocess import Preprocess, load_picture

SUFFIXES = frozenset(".bmp .gif .jpeg .jpg .pbm .pgm .png .pnm .ppm .tif .tiff .webp".split())
"""Of the formats that `load_picture` reads: files of a folder with others are passed over."""


def find_pictures(paths: Iterable[str | Path]) -> list[Path]:
    """Files as they are given; in place of a folder, all pictures in it and below, in the order of their names.

    Raises PictureError for a folder without a picture.
    """
    found = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(p for p in path.rglob("[!.]*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not inside:
                raise PictureError(f"{path}: no picture in this folder")
            found += inside
        else:
            found.append(path)
    return found


def picture_batches(
    preprocess: Preprocess, paths: Sequence[str | Path], size: int
) -> Iterator[tuple[Sequence[str | Path], NDArray[np.float32]]]:
    """Files, at most `size` at a time, each with the input made of them: float32, [n, c, h, w] or [n, h, w, c].

    Raises PictureError, as `load_picture` does, when the file's turn comes.
    """
    for start in range(0, len(paths), size):
        part = paths[start : start + size]
        yield part, np.concatenate([preprocess.apply(load_picture(path)) for path in part])
