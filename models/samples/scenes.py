"""Draw the sample scenes for the networks of CIFAR-10: flat shapes before a sky, no photographs.

python models/samples/scenes.py models/samples
"""

import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageColor, ImageDraw, ImageFilter

SIZE = 160
SUPERSAMPLING = 4

Point = tuple[float, float]


@dataclass(frozen=True)
class Shape:
    """A filled polygon, or with two points the ellipse that they bound, in a picture that is 4 wide and 4 high."""

    colour: str
    points: tuple[Point, ...]


def polygon(colour: str, *points: Point) -> Shape:
    return Shape(colour, points)


def disc(colour: str, x: float, y: float, radius: float) -> Shape:
    return Shape(colour, ((x - radius, y - radius), (x + radius, y + radius)))


def row(colour: str, x: float, y: float, step: float, count: int, w: float, h: float) -> list[Shape]:
    """Windows: `count` rectangles, w wide and h high, `step` apart, the first with its upper left corner at x, y."""
    return [
        polygon(colour, *((x + i * step + dx, y + dy) for dx, dy in ((0, 0), (w, 0), (w, h), (0, h))))
        for i in range(count)
    ]


Ground = tuple[tuple[float, str], ...]
"""Heights from the top, 0 to 4, and the colours there; between them colours blend."""

SCENES: dict[str, tuple[Ground, list[Shape]]] = {
    "ship": (
        ((0, "#7fa9d0"), (2.25, "#d5e3ee"), (2.26, "#5b87a6"), (4, "#1f4666")),
        [
            polygon("#e8e8e6", (1.0, 1.8), (2.9, 1.8), (2.9, 2.22), (1.0, 2.22)),
            polygon("#f4f4f2", (1.25, 1.5), (2.6, 1.5), (2.7, 1.8), (1.2, 1.8)),
            polygon("#f4f4f2", (1.5, 1.25), (2.1, 1.25), (2.15, 1.5), (1.45, 1.5)),
            polygon("#b5402f", (2.25, 1.05), (2.5, 1.05), (2.5, 1.5), (2.2, 1.5)),
            polygon("#2a2a2a", (2.25, 1.05), (2.5, 1.05), (2.5, 1.15), (2.24, 1.15)),
            polygon("#555555", (1.7, 0.8), (1.73, 0.8), (1.73, 1.25), (1.7, 1.25)),
            *row("#35495c", 1.3, 1.6, 0.16, 8, 0.09, 0.09),
            *row("#35495c", 1.1, 1.95, 0.16, 11, 0.09, 0.09),
            polygon("#22303f", (0.3, 2.1), (3.7, 2.1), (3.4, 2.65), (0.75, 2.65)),
            polygon("#8c2f26", (0.68, 2.55), (3.46, 2.55), (3.4, 2.7), (0.8, 2.7)),
            polygon("#dfe8ee", (0.5, 2.67), (3.6, 2.67), (3.75, 2.74), (0.3, 2.74)),
        ],
    ),
    "airplane": (
        ((0, "#4f8fd0"), (4, "#bcd9f0")),
        [
            polygon("#c9ced4", (1.9, 1.75), (2.35, 1.05), (2.55, 1.05), (2.4, 1.8)),
            polygon("#eef0f2", (0.35, 1.95), (0.55, 1.77), (0.9, 1.7), (3.2, 1.7), (3.75, 1.8), (3.2, 2.05),
                    (2.7, 2.18), (0.8, 2.18), (0.45, 2.1)),
            polygon("#2f4f8f", (3.1, 1.72), (3.55, 1.1), (3.8, 1.1), (3.65, 1.82)),
            polygon("#b5bcc4", (3.2, 1.85), (3.75, 1.7), (3.85, 1.75), (3.5, 1.95)),
            polygon("#aab2bb", (1.55, 2), (2.3, 2), (3.0, 2.75), (2.75, 2.8)),
            polygon("#8d959e", (1.75, 2.25), (2.15, 2.25), (2.2, 2.42), (1.75, 2.42)),
            *row("#3a4d63", 0.95, 1.83, 0.13, 16, 0.06, 0.08),
            polygon("#3a4d63", (0.5, 1.88), (0.66, 1.8), (0.72, 1.88)),
        ],
    ),
    "automobile": (
        ((0, "#a9c4de"), (1.7, "#dfe6ea"), (1.75, "#6f8a5c"), (2.2, "#7d9467"), (2.22, "#77777a"), (4, "#55555a")),
        [
            Shape("#3c3c40", ((0.3, 2.75), (3.75, 3.1))),
            polygon("#b3201c", (0.95, 2), (1.4, 1.45), (2.6, 1.45), (3.15, 2)),
            polygon("#22303f", (1.1, 2), (1.48, 1.55), (1.98, 1.55), (1.98, 2)),
            polygon("#22303f", (2.08, 2), (2.08, 1.55), (2.53, 1.55), (2.95, 2)),
            polygon("#c8241f", (0.3, 2.7), (0.3, 2.25), (0.45, 2.05), (0.95, 1.95), (3.2, 1.95), (3.65, 2.1),
                    (3.75, 2.3), (3.75, 2.7)),
            polygon("#8e1815", (0.3, 2.55), (3.75, 2.55), (3.75, 2.72), (0.3, 2.72)),
            polygon("#fff3c4", (0.3, 2.25), (0.5, 2.18), (0.5, 2.35), (0.3, 2.35)),
            polygon("#ff8a70", (3.75, 2.2), (3.6, 2.2), (3.6, 2.35), (3.75, 2.35)),
            *(disc(colour, x, 2.7, radius) for x in (1.0, 3.0) for colour, radius in (("#18181a", 0.34),
                                                                                     ("#b9bcc0", 0.19))),
        ],
    ),
}  # fmt: skip


def paint(ground: Ground, shapes: list[Shape]) -> Image.Image:
    """The scene, anti-aliased: mode RGB, SIZE x SIZE."""
    scale = SIZE * SUPERSAMPLING / 4
    canvas = Image.new("RGB", (SIZE * SUPERSAMPLING, SIZE * SUPERSAMPLING))
    pen = ImageDraw.Draw(canvas)
    for (top, upper), (bottom, lower) in pairwise(ground):
        colours = [ImageColor.getrgb(colour)[:3] for colour in (upper, lower)]
        for y in range(round(top * scale), round(bottom * scale)):
            share = (y / scale - top) / (bottom - top)
            blend = tuple(round(a + share * (b - a)) for a, b in zip(*colours, strict=True))
            pen.line([(0, y), (canvas.width, y)], fill=blend)
    for shape in shapes:
        points = [(x * scale, y * scale) for x, y in shape.points]
        (pen.ellipse if len(points) == 2 else pen.polygon)(points, fill=shape.colour)
    return canvas.filter(ImageFilter.BoxBlur(SUPERSAMPLING / 2)).resize((SIZE, SIZE), Image.Resampling.BOX)


def main(folder: Path) -> None:
    for name, (ground, shapes) in SCENES.items():
        paint(ground, shapes).save(folder / f"scene_{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
