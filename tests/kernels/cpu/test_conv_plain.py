"""Convolution with pixels in the lanes against its reference, for every tile, instruction set and number of threads."""

import pytest

from tests.cases.conv import ALL, RELU, ConvCase
from tests.kernels.cpu.harness import choices, execute_alike, request
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import isa
from tinycnn.ops.activation import Activation

WIDE = [
    ConvCase((1, 1, 32, 32), (6, 1, 5, 5), activation=RELU),
    ConvCase((2, 5, 24, 21), (3, 5, 3, 3), pads=(1, 1, 1, 1), residual=True),
    ConvCase((1, 40, 40, 33), (3, 40, 9, 9), pads=(4, 4, 4, 4), bias=False),
    ConvCase((3, 2, 9, 40), (1, 2, 1, 1), activation=Activation("sigmoid")),
    ConvCase((1, 7, 20, 37), (10, 7, 3, 2), pads=(2, 0, 1, 3), dilations=(2, 3), activation=Activation("tanh")),
    ConvCase((1, 3, 1, 16), (6, 3, 1, 1), residual=True),
    ConvCase((2, 3, 50), (5, 3, 4), pads=(1, 2)),
]


def offers(case: ConvCase, name: str):
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    arrays = case.arrays()
    r = request(case.op, arrays, [1, 2], "plain", isa.ISAS[name], 3)
    return r, arrays, [c for c in choices(r) if c.algorithm == "plain"]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", [*WIDE, *ALL], ids=str)
def test_matches_the_reference_with_any_number_of_threads(case, name):
    r, arrays, offered = offers(case, name)
    if case in WIDE and case.w[0] < isa.ISAS[name].lanes:
        assert offered
    reference, magnitude = case.op.reference(*arrays)[0], case.magnitude(arrays)
    for choice in offered:
        [y] = execute_alike(r, choice, arrays)
        assert_close(y, reference, ROUNDING(8), magnitude)


@pytest.mark.parametrize(
    "case",
    [
        ConvCase((1, 3, 20, 40), (16, 3, 3, 3)),
        ConvCase((1, 3, 20, 40), (4, 3, 3, 3), strides=(2, 2)),
        ConvCase((1, 3, 20, 9), (4, 3, 1, 1)),
        ConvCase((1, 4, 20, 40), (4, 2, 3, 3), group=2),
    ],
    ids=["channels enough", "strided", "narrow", "grouped"],
)
def test_offers_nothing_where_it_cannot_or_gains_nothing(case):
    assert not offers(case, "avx512" if isa.ISAS["avx512"].needs <= isa.host_features() else "portable")[2]
