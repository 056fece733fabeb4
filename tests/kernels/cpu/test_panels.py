"""Panels made of constants hold every line in its place, however far apart lines are."""

import itertools

import numpy as np
import pytest

from tinycnn.kernels.cpu.panels import FAR, panels


@pytest.mark.parametrize(("lines", "depth"), [*itertools.product([1, 5, 8, 19], [1, 7, FAR, 2 * FAR])])
@pytest.mark.parametrize("batch", [(), (3,)])
def test_panels_are_strips_of_interleaved_lines(lines: int, depth: int, batch: tuple[int, ...]) -> None:
    width = 4
    matrix = np.random.default_rng(0).standard_normal((*batch, lines, depth), np.float32)
    packed = panels(matrix, width)
    assert packed.shape == (*batch, -(-lines // width), depth, width)
    for strip, i in np.ndindex(packed.shape[-3], width):
        line = strip * width + i
        expected = matrix[..., line, :] if line < lines else 0
        np.testing.assert_array_equal(packed[..., strip, :, i], np.broadcast_to(expected, (*batch, depth)))
