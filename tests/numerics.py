"""Named levels of agreement between two results."""

from dataclasses import dataclass

import numpy as np

U = 2.0**-24  # half a unit in the last place of float32 at 1


@dataclass(frozen=True)
class Level:
    """|y - reference| <= c * U * scale; with c = 0 every element is equal."""

    c: float


EXACT = Level(0)


def ROUNDING(c: float) -> Level:
    """What the order and the precision of operations in float32 may change, and nothing else."""
    return Level(c)


def assert_close(
    y: np.ndarray, reference: np.ndarray, level: Level = EXACT, scale: np.ndarray | float | None = None
) -> None:
    """Shape and dtype are equal, NaN and infinities are where they are in the reference, the rest is near enough.

    scale  what errors are relative to, broadcasting to y, as the sum of the magnitudes that were added up; None: the
           reference itself. A result in float16 is judged in units of its own precision.
    """
    y, reference = np.asarray(y), np.asarray(reference)
    assert (y.shape, y.dtype) == (reference.shape, reference.dtype)
    if not level.c or y.dtype.kind != "f":
        np.testing.assert_array_equal(y, reference)
        return
    finite = np.isfinite(reference)
    np.testing.assert_array_equal(y[~finite], reference[~finite])
    got, wanted = y.astype(np.float64)[finite], reference.astype(np.float64)[finite]
    magnitude = np.abs(wanted) if scale is None else np.broadcast_to(scale, reference.shape)[finite]
    unit = np.finfo(y.dtype).eps / 2 if y.dtype == np.float16 else U
    error, allowed = np.abs(got - wanted), level.c * unit * magnitude
    if not (error <= allowed).all():
        worst = np.argmax(error - allowed)
        raise AssertionError(
            f"{np.count_nonzero(~(error <= allowed))} of {error.size} elements differ by more than "
            f"{level.c:g} roundings; the worst is {got[worst]!r}, not {wanted[worst]!r} within {allowed[worst]:.3g}"
        )
