"""The direct convolution against its reference: every case, tile, layout, instruction set and number of threads."""

import pytest

from tests.cases.conv import ALL, ConvCase
from tests.kernels.cpu.harness import choices, execute_alike, request
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import isa, tuning

# Maps wide enough for several chunks of tiles, weights too large for L1, and steps between pixels of every kind.
LARGE = [
    ConvCase((1, 70, 30, 29), (50, 70, 3, 3), pads=(1, 1, 1, 1), residual=True),
    ConvCase((1, 150, 7, 7), (97, 150, 3, 3), pads=(1, 1, 1, 1)),
    ConvCase((2, 67, 15, 14), (33, 67, 1, 1), strides=(2, 2)),
    ConvCase((1, 3, 33, 35), (20, 3, 5, 5), strides=(3, 3)),
]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", [*ALL, *LARGE], ids=str)
def test_matches_the_reference_with_any_number_of_threads(case, name):
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    arrays = case.arrays()
    r = request(case.op, arrays, [1, 2], "blocked", isa.ISAS[name], 3)
    offered = [c for c in choices(r) if c.algorithm == "direct"]
    tiles = len(tuning.TILES[name])
    assert len(offered) in (tiles, 2 * tiles)
    reference, magnitude = case.op.reference(*arrays)[0], case.magnitude(arrays)
    for choice in offered:
        [y] = execute_alike(r, choice, arrays)
        assert_close(y, reference, ROUNDING(8), magnitude)
