"""The matrices of Winograd convolution F(m, r), exact from their interpolation points.

y = A^T [(G g) * (B^T d)] gives m outputs of a correlation of d [m + r - 1] with g [r].

Source: Toom-Cook with the point at infinity, as Lavin and Gray 2015, arXiv:1509.09308, section 4, use it; the
construction is Winograd 1980, chapter IIId.
"""

import functools
from fractions import Fraction
from typing import NamedTuple

import numpy as np

POINTS = [Fraction(p) for p in ("0", "1", "-1", "2", "-2", "1/2", "-1/2")]


class Matrices(NamedTuple):
    """at [m, m + r - 1], g [m + r - 1, r], bt [m + r - 1, m + r - 1], all float64."""

    at: np.ndarray
    g: np.ndarray
    bt: np.ndarray


def polynomial(roots: list[Fraction]) -> list[Fraction]:
    """Coefficients, constant first, of the product of (x - root)."""
    c = [Fraction(1)]
    for root in roots:
        c = [a - root * b for a, b in zip([Fraction(0), *c], [*c, Fraction(0)], strict=True)]
    return c


@functools.cache
def matrices(m: int, r: int = 3) -> Matrices:
    size = m + r - 1
    points = POINTS[: size - 1]
    at = [[p**i for p in points] + [Fraction(int(i == m - 1))] for i in range(m)]
    g, bt = [], []
    for i, p in enumerate(points):
        others = points[:i] + points[i + 1 :]
        scale = Fraction(1)
        for q in others:
            scale *= p - q
        g.append([p**j / scale for j in range(r)])
        bt.append([*polynomial(others), Fraction(0)])
    g.append([Fraction(int(j == r - 1)) for j in range(r)])
    bt.append(polynomial(points))
    at_, g_, bt_ = (np.array([[float(x) for x in row] for row in rows]) for rows in (at, g, bt))
    return Matrices(at_, g_, bt_)
