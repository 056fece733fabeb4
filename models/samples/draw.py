"""Draw the ten sample digits: strokes of a round pen, even ones white on black, odd ones dark ink on bright paper.

python models/samples/draw.py models/samples
"""

import sys
from itertools import pairwise
from math import cos, dist, radians, sin
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = 64
SUPERSAMPLING = 8
PEN = 0.1
INK, PAPER = 45, 232

Stroke = list[tuple[float, float]]


def arc(x: float, y: float, rx: float, ry: float, start: int, end: int) -> Stroke:
    """Points of an ellipse about (x, y), from `start` to `end` degrees: 0 points right, 90 down."""
    step = 6 if end > start else -6
    return [(x + rx * cos(radians(t)), y + ry * sin(radians(t))) for t in range(start, end + step, step)]


DIGITS: list[list[Stroke]] = [
    [arc(0.5, 0.5, 0.21, 0.33, -60, 300)],
    [[(0.38, 0.3), (0.55, 0.16), (0.5, 0.84)]],
    [[*arc(0.48, 0.36, 0.2, 0.2, -170, 36), (0.28, 0.82), (0.76, 0.8)]],
    [[*arc(0.47, 0.33, 0.18, 0.16, -160, 90), *arc(0.47, 0.66, 0.22, 0.17, -90, 150)]],
    [[(0.4, 0.17), (0.25, 0.56), (0.76, 0.54)], [(0.64, 0.2), (0.57, 0.85)]],
    [[(0.72, 0.18), (0.38, 0.2), (0.33, 0.48), *arc(0.46, 0.63, 0.22, 0.2, -120, 140)]],
    [[(0.6, 0.14), (0.42, 0.3), (0.32, 0.5), *arc(0.48, 0.66, 0.19, 0.18, 180, 540)]],
    [[(0.25, 0.22), (0.73, 0.18), (0.45, 0.85)]],
    [[*arc(0.5, 0.33, 0.16, 0.17, 90, 450), *arc(0.5, 0.67, 0.2, 0.17, -90, 270)]],
    [[*arc(0.48, 0.35, 0.18, 0.19, 0, -360), (0.66, 0.36), (0.6, 0.85)]],
]
"""Strokes of each digit in the unit square, x to the right, y down."""


def draw(strokes: list[Stroke], size: int = SIZE) -> Image.Image:
    """The strokes in white (255) on black (0), anti-aliased: mode L, size x size."""
    large = size * SUPERSAMPLING
    canvas = Image.new("L", (large, large))
    pen = ImageDraw.Draw(canvas)
    for (x0, y0), (x1, y1) in (segment for stroke in strokes for segment in pairwise(stroke)):
        steps = max(round(dist((x0, y0), (x1, y1)) * large / 2), 1)
        for t in (step / steps for step in range(steps + 1)):
            x, y, r = (x0 + t * (x1 - x0)) * large, (y0 + t * (y1 - y0)) * large, PEN / 2 * large
            pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
    return canvas.resize((size, size), Image.Resampling.BOX)


def on_paper(digit: Image.Image) -> Image.Image:
    """The same strokes as dark ink on bright paper."""
    return digit.point([PAPER + (INK - PAPER) * level // 255 for level in range(256)])


def main(folder: Path) -> None:
    for number, strokes in enumerate(DIGITS):
        digit = draw(strokes)
        (on_paper(digit) if number % 2 else digit).save(folder / f"digit_{number}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
