"""Winograd convolutions against their reference: every F(m, r), case, instruction set and number of threads."""

import numpy as np
import pytest

from tests.cases.conv import ALL, ConvCase
from tests.kernels.cpu.harness import choices, execute_alike, request
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import isa
from tinycnn.kernels.winograd_matrices import matrices

# Roundings of each F(m, r) relative to the greatest |x| * |w|: a tile's errors follow its largest values, not each
# output's own. The greatest seen over these cases are 1.7, 29, 35, 15 and 42.
LEVELS = {(2, 3): ROUNDING(4), (4, 3): ROUNDING(60), (6, 3): ROUNDING(80), (2, 5): ROUNDING(40), (4, 5): ROUNDING(100)}
LARGE = [
    ConvCase((1, 70, 30, 29), (50, 70, 3, 3), pads=(1, 1, 1, 1), residual=True),
    ConvCase((2, 33, 17, 13), (65, 33, 3, 3), pads=(0, 2, 1, 0)),
    ConvCase((1, 33, 27, 26), (50, 33, 5, 5), pads=(2, 2, 2, 2), residual=True),
    ConvCase((2, 17, 9, 6), (37, 17, 5, 5), pads=(0, 3, 4, 1)),
]


def applies(case: ConvCase) -> bool:
    plain = case.group == 1 and set(case.strides) <= {1} and set(case.dilations) <= {1}
    return plain and case.w[2:] in ((3, 3), (5, 5))


@pytest.mark.parametrize(("m", "r"), LEVELS)
def test_matrices_compute_a_correlation(m, r):
    at, g, bt = matrices(m, r)
    rng = np.random.default_rng(m)
    d, taps = rng.standard_normal(m + r - 1), rng.standard_normal(r)
    np.testing.assert_allclose(at @ ((g @ taps) * (bt @ d)), np.correlate(d, taps, "valid"), rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", [c for c in [*ALL, *LARGE] if applies(c)], ids=str)
def test_matches_the_reference_with_any_number_of_threads(case, name):
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    arrays = case.arrays()
    problem = request(case.op, arrays, [1, 2], "blocked", isa.ISAS[name], 3)
    offered = choices(problem)
    reference, magnitude = case.op.reference(*arrays)[0], case.magnitude(arrays).max()
    levels = {m: level for (m, r), level in LEVELS.items() if r == case.w[2]}
    for m, level in levels.items():
        [choice, *_] = [c for c in offered if c.algorithm == f"winograd_f{m}x{case.w[2]}"]
        [y] = execute_alike(problem, choice, arrays)
        assert_close(y, reference, level, magnitude)


@pytest.mark.parametrize("case", [c for c in ALL if not applies(c)], ids=str)
def test_is_not_offered_for_other_convolutions(case):
    r = request(case.op, case.arrays(), [1, 2], "blocked", isa.current(), 1)
    assert not [c for c in choices(r) if c.algorithm.startswith("winograd")]
