"""The universal convolution against its reference: every case, layout, tile, instruction set and number of threads."""

import itertools

import pytest

from tests.cases.conv import ALL
from tests.kernels.cpu.harness import choices, execute_alike, request
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import isa, tuning


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", ALL, ids=str)
def test_matches_the_reference_with_any_number_of_threads(case, name):
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    arrays = case.arrays()
    r = request(case.op, arrays, [1, 2], "blocked", isa.ISAS[name], 3)
    offered = [c for c in choices(r) if c.algorithm == "im2col"]
    narrow = arrays[1].shape[0] // case.op.group <= isa.ISAS[name].lanes
    tiles = [f"{rows}x{cols}" for rows, cols in tuning.IM2COL_TILES[name][narrow]]
    assert [(c.inputs[0], c.variant) for c in offered] == list(itertools.product(["blocked", "plain"], tiles))
    reference, magnitude = case.op.reference(*arrays)[0], case.magnitude(arrays)
    for choice in offered:
        [y] = execute_alike(r, choice, arrays)
        assert_close(y, reference, ROUNDING(8), magnitude)
