"""Feature maps and filters as pictures: colours for numbers, and a labelled grid of tiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

HEAT = np.array([(0, 0, 4), (61, 15, 105), (145, 38, 103), (221, 81, 58), (252, 165, 10), (252, 255, 164)], float)
"""Colours from nothing to the greatest number, evenly spaced, of growing brightness."""

SIGNS = np.array([(106, 176, 255), (33, 92, 190), (0, 0, 0), (190, 72, 22), (255, 178, 92)], float)
"""Colours from the greatest negative number through nothing to the greatest positive one."""

TILE, GAP, LINE = 96, 6, 14
"""Pixels: the least side of a tile, between tiles, and of a line of text."""

GROUND, TEXT, FAINT = (24, 26, 30), (236, 236, 236), (150, 154, 160)


@dataclass(frozen=True)
class Tile:
    """One picture of a grid: uint8 [h, w, 3], with a text at its left and a fainter one at its right."""

    pixels: NDArray[np.uint8]
    label: str
    note: str = ""


def map_tile(values: NDArray[Any], label: str) -> Tile:
    """A feature map [h, w]: black is 0, the brightest colour its greatest number, which stands at the right.

    A map with negative numbers gets blue for them; both signs then have one scale.
    """
    values = np.nan_to_num(values.astype(np.float64))
    greatest = float(np.abs(values).max())
    share = values / (greatest or 1)
    pixels = coloured(share, HEAT) if values.min() >= 0 else coloured((share + 1) / 2, SIGNS)
    return Tile(pixels, label, number(greatest))


def filter_tile(weights: NDArray[Any], label: str) -> Tile:
    """A filter [3, kh, kw] in RGB, mid grey being 0, or [1, kh, kw] as a map; each on a scale of its own."""
    if len(weights) == 1:
        return map_tile(weights[0], label)
    greatest = float(np.abs(weights).max())
    pixels = (weights.transpose(1, 2, 0) / (greatest or 1) + 1) * 127.5
    return Tile(pixels.round().astype(np.uint8), label, number(greatest))


def number(value: float) -> str:
    """Three digits, and no exponent up to a million."""
    return f"{value:,.0f}" if 100 <= value < 1e6 else f"{value:.3g}"


def coloured(share: NDArray[Any], colours: NDArray[Any]) -> NDArray[np.uint8]:
    """Numbers 0..1 of any shape as RGB, interpolated between colours [n, 3]."""
    steps = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(share, steps, c) for c in colours.T], axis=-1).round().astype(np.uint8)


def draw_grid(
    tiles: Sequence[Tile], title: Sequence[str], first: NDArray[np.uint8] | None = None, columns: int | None = None
) -> Image.Image:
    """All tiles, of one shape, in rows, each with its texts below; above them the lines of the title.

    first    a picture [h, w, 3] that stands beside the title
    columns  tiles in a row; default: `good_columns`
    """
    columns = columns or good_columns(len(tiles))
    height, width = enlarged(tiles[0].pixels).shape[:2]
    head = max(TILE if first is not None else 0, len(title) * (LINE + 4)) + GAP
    across, down = width + GAP, height + LINE + GAP
    rows = -(-len(tiles) // columns)
    font = ImageFont.load_default(size=12)
    indent = GAP + (TILE + 2 * GAP if first is not None else 0)
    least = indent + int(max(font.getlength(line) for line in title)) + GAP
    picture = Image.new("RGB", (max(columns * across + GAP, least), GAP + head + rows * down + GAP), GROUND)
    draw = ImageDraw.Draw(picture)
    if first is not None:
        picture.paste(Image.fromarray(first).resize((TILE, TILE), Image.Resampling.LANCZOS), (GAP, GAP))
    for i, line in enumerate(title):
        draw.text((indent, GAP + i * (LINE + 4)), line, TEXT if i == 0 else FAINT, font)
    for i, tile in enumerate(tiles):
        left, top = GAP + i % columns * across, GAP + head + i // columns * down
        picture.paste(Image.fromarray(enlarged(tile.pixels)), (left, top))
        draw.text((left, top + height), tile.label, TEXT, font)
        draw.text((left + width, top + height), tile.note, FAINT, font, anchor="ra")
    return picture


def good_columns(count: int) -> int:
    """Tiles in a row: all of a few, else such that rows are full and the grid is a little wider than high."""
    if count <= 8:
        return count
    wish = (1.4 * count) ** 0.5
    full = [n for n in range(round(count**0.5), round(2 * count**0.5) + 1) if count % n == 0]
    return min(full, key=lambda n: abs(n - wish), default=round(wish))


def enlarged(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every pixel as a square, so that the longer side has about TILE pixels at least."""
    times = max(-(-TILE // max(pixels.shape[:2])), 1)
    return pixels.repeat(times, axis=0).repeat(times, axis=1)
