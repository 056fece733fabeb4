"""What a layer of a network computes from pictures: features for a classifier of one's own."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tinycnn import knobs
from tinycnn.errors import LimitError
from tinycnn.feeds import whole_file
from tinycnn.models.pictures import picture_batches
from tinycnn.picture_model import PictureModel

Progress = Callable[[int, int | None], None]


def save_features(
    path: Path, model: PictureModel, pictures: Sequence[str | Path], layer: str, **options: Any
) -> np.ndarray:
    """Write `extract`'s result as `features` and the files as `pictures` to an .npz, whole or not at all.

    Raises what `extract` raises, and OSError, before anything is computed, when the file cannot be written.
    """
    with whole_file(path) as f:
        features = extract(model, pictures, layer, **options)
        np.savez(f, allow_pickle=False, features=features, pictures=np.array([str(file) for file in pictures]))
    return features


def extract(
    model: PictureModel,
    pictures: Sequence[str | Path],
    layer: str,
    *,
    batch: int = 16,
    progress: Progress | None = None,
) -> np.ndarray:
    """The values of a layer for picture files: [n, ...], a row a picture, of the layer's dtype.

    layer     name of a value or of a node, see `PictureModel.layers`
    batch     pictures that go through the network at once, where its input lets it
    progress  called with the number of pictures done and of all

    Raises OptionError for a layer that does not exist, PictureError for a file that is no picture, LimitError when the
    result would be larger than the knob MEMORY allows.
    """
    value = model.layer(layer)
    result, done = np.empty(0), 0
    for files, x in picture_batches(model.preprocess, pictures, batch):
        [y] = model.run(x, [value])
        if not done:
            nbytes = y[0].nbytes * len(pictures)
            if nbytes > knobs.MEMORY.get():
                told = f"{layer} of {len(pictures)} pictures needs {nbytes:,} bytes"
                raise LimitError(
                    f"{told}, more than {knobs.MEMORY.name} allows: take fewer pictures or a smaller layer"
                )
            result = np.empty((len(pictures), *y.shape[1:]), y.dtype)
        result[done : done + len(files)] = y
        done += len(files)
        if progress:
            progress(done, len(pictures))
    return result
