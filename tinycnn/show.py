"""What a layer sees of a picture, and the filters that a network looks through first, drawn as a grid."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tinycnn.errors import OptionError
from tinycnn.feeds import whole_file
from tinycnn.models.grid import draw_grid, filter_tile, map_tile
from tinycnn.models.preprocess import load_picture
from tinycnn.picture_model import PictureModel

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = {".png": "PNG", ".webp": "WEBP", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""By the suffix of the file to write."""

MOST_TILES = 4096

SIGNED = "black: 0; orange: positive, blue: negative, as far as the number at the right of each"


def show_maps(model: PictureModel, path: str | Path, layer: str, most: int = 64) -> "Image":
    """The first `most` feature maps of a layer for one picture, beside the picture as the network gets it.

    Raises OptionError for a layer that does not exist or has no maps, PictureError for a file that is no picture.
    """
    value = model.layer(layer)
    x = model.preprocess.apply(load_picture(path))
    [y] = model.run(x, [value])
    if y.ndim != 4 or y[0, 0].size == 1:
        shape = "x".join(map(str, y.shape))
        raise OptionError(f"layer {layer!r} is of shape {shape}, without height and width: it cannot be shown as maps")
    shown = y[0, : check_most(most)].astype(np.float64)
    title = [
        f"{layer}: {counted(len(shown), y.shape[1], 'maps')} of {y.shape[2]}x{y.shape[3]}",
        f"{Path(path).name}, as it enters {model.title}",
        SIGNED if shown.min() < 0 else "black: 0; the brightest colour: the number at the right of each map",
    ]
    tiles = [map_tile(channel, str(i)) for i, channel in enumerate(shown)]
    return draw_grid(tiles, title, model.preprocess.pixels(x[0]))


def show_filters(model: PictureModel, most: int = 64) -> "Image":
    """The first `most` filters of the first convolution, in colour where the network sees colours.

    Raises OptionError where the network's first convolution does not read pixels, or computes its weights.
    """
    name, weights = first_filters(model)
    if model.preprocess.colour == "bgr":
        weights = weights[:, ::-1]
    shown = weights[: check_most(most)].astype(np.float64)
    title = [
        f"{name}: {counted(len(shown), len(weights), 'filters')} of {'x'.join(map(str, weights.shape[1:]))}",
        model.title,
        SIGNED if weights.shape[1] == 1 else "grey: 0; black and full colour: the number at the right of each filter",
    ]
    return draw_grid([filter_tile(w, str(i)) for i, w in enumerate(shown)], title)


def first_filters(model: PictureModel) -> tuple[str, np.ndarray]:
    """Name and weights [co, 1 or 3, kh, kw] of the first convolution, as they came or as constants folded to them."""
    for graph in (model.session.imported(), model.session.network.whole()):
        first = next((node for node in graph.nodes if node.kind == "Conv"), None)
        weights = graph.constant(first.inputs[1]) if first else None
        if first and weights is not None and weights.ndim == 4 and weights.shape[1] in (1, 3):
            return first.name or first.outputs[0], weights
    raise OptionError(
        f"{model.title}: its first convolution has no known weights for 1 or 3 channels: no filters to show"
    )


def check_most(most: int) -> int:
    if not 1 <= most <= MOST_TILES:
        raise OptionError(f"{most} tiles: it must be 1 to {MOST_TILES}")
    return most


def counted(shown: int, all_of: int, what: str) -> str:
    return f"{all_of} {what}" if shown == all_of else f"{shown} of {all_of} {what}"


def save_picture(image: "Image", path: Path) -> None:
    """Write an image whole or not at all. Raises OptionError for a suffix not in FORMATS, OSError naming the file."""
    with whole_file(path) as f:
        image.save(f, format_of(path))


def format_of(path: Path) -> str:
    if path.suffix.lower() not in FORMATS:
        raise OptionError(f"{path}: the suffix must be one of {', '.join(FORMATS)}")
    return FORMATS[path.suffix.lower()]
