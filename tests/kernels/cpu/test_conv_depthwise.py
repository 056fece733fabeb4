"""Depthwise convolution against its reference, for every instruction set and number of threads."""

import pytest

from tests.cases.conv import DEPTHWISE, GROUPED, ConvCase
from tests.kernels.cpu.harness import choices, execute_alike, request
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import isa


def offers(case: ConvCase, name: str):
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    arrays = case.arrays()
    r = request(case.op, arrays, [1, 2], "blocked", isa.ISAS[name], 3)
    return r, arrays, [c for c in choices(r) if c.algorithm == "depthwise"]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", [c for c in DEPTHWISE if c.group > 1], ids=str)
def test_matches_the_reference_with_any_number_of_threads(case, name):
    r, arrays, offered = offers(case, name)
    assert offered
    reference, magnitude = case.op.reference(*arrays)[0], case.magnitude(arrays)
    for choice in offered:
        [y] = execute_alike(r, choice, arrays)
        assert_close(y, reference, ROUNDING(4), magnitude)


@pytest.mark.parametrize("case", GROUPED, ids=str)
def test_offers_nothing_for_wider_groups(case):
    assert not offers(case, "portable")[2]
