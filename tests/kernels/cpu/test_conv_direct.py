"""The direct convolution against its reference: every case, tile, layout, instruction set and number of threads."""

import numpy as np
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
    # Groups that begin within a block, of less than one and of more; the last also ends within one.
    ConvCase((2, 136, 9, 11), (136, 34, 1, 1), group=4, residual=True),
    ConvCase((1, 15, 9, 8), (40, 3, 3, 3), pads=(1, 1, 1, 1), group=5),
    ConvCase((1, 204, 5, 6), (102, 68, 3, 3), pads=(1, 1, 1, 1), group=3),
]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", [*ALL, *LARGE], ids=str)
def test_matches_the_reference_with_any_number_of_threads(case, name):
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    arrays = case.arrays()
    r = request(case.op, arrays, [1, 2], "blocked", isa.ISAS[name], 3)
    offered = [c for c in choices(r) if c.algorithm == "direct"]
    whole = [c for c in offered if "halved" not in c.variant]
    tiles = len(tuning.TILES[name])
    assert len(whole) in (tiles, 2 * tiles)
    reference, magnitude = case.op.reference(*arrays)[0], case.magnitude(arrays)
    for choice in offered:
        [y] = execute_alike(r, choice, arrays)
        assert_close(y, reference, ROUNDING(8), magnitude)


def test_what_is_not_finite_stays_in_its_group() -> None:
    """Output channels of two groups share a vector; neither adds zero times the other's input."""
    case = ConvCase((1, 68, 3, 5), (68, 34, 1, 1), group=2)
    x, *others = case.arrays()
    assert x is not None
    x[0, 20, 1, 1] = np.inf
    r = request(case.op, [x, *others], [1, 2], "blocked", isa.current(), 1)
    halved = [choice for choice in choices(r) if "halved" in choice.variant]
    assert len(halved) == len(tuning.HALVED_ROWS[isa.current().name])
    for choice in halved:
        [y] = execute_alike(r, choice, [x, *others])
        assert np.isfinite(y[:, 40:]).all() and not np.isfinite(y[0, :34, 1, 1]).any()
