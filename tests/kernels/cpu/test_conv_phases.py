"""Winograd convolution over the phases of stride 2, against its reference: every case, instruction set and threads."""

import pytest

from tests.cases.conv import ALL, RELU, ConvCase
from tests.kernels.cpu.harness import choices, execute_alike, request
from tests.kernels.cpu.test_conv_winograd import LEVELS
from tests.numerics import assert_close
from tinycnn.kernels.cpu import isa

# Odd and even sizes, paddings and kernels, both ways; channels whose phases leave lanes free, and fill them.
STRIDED = [
    ConvCase((1, 3, 40, 37), (50, 3, 7, 7), strides=(2, 2), pads=(3, 3, 3, 3), activation=RELU),
    ConvCase((2, 3, 21, 30), (19, 3, 7, 7), strides=(2, 2), pads=(2, 3, 0, 4), residual=True),
    ConvCase((1, 4, 19, 16), (33, 4, 8, 8), strides=(2, 2), pads=(4, 2, 2, 1)),
    ConvCase((2, 1, 25, 23), (17, 1, 5, 5), strides=(2, 2), pads=(2, 2, 2, 2), bias=False),
    ConvCase((1, 2, 9, 8), (6, 2, 6, 6), strides=(2, 2), pads=(0, 4, 1, 0)),
    ConvCase((1, 3, 20, 23), (17, 3, 9, 9), strides=(2, 2), pads=(4, 4, 4, 4)),
]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", [*STRIDED, *ALL], ids=str)
def test_matches_the_reference_with_any_number_of_threads(case: ConvCase, name: str) -> None:
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    arrays = case.arrays()
    problem = request(case.op, arrays, [1, 2], "plain", isa.ISAS[name], 3)
    offered = {c.algorithm: c for c in choices(problem) if c.algorithm.endswith("s2")}
    if case in STRIDED:
        assert offered
    reference, magnitude = case.op.reference(*arrays)[0], case.magnitude(arrays).max()
    for algorithm, choice in offered.items():
        m, r = map(int, algorithm.removeprefix("winograd_f").removesuffix("s2").split("x"))
        [y] = execute_alike(problem, choice, arrays)
        assert_close(y, reference, LEVELS[m, r], magnitude)


@pytest.mark.parametrize(
    "case",
    [
        ConvCase((1, 3, 20, 20), (8, 3, 7, 7)),
        ConvCase((1, 3, 7, 8), (8, 3, 7, 7), strides=(2, 2)),
        ConvCase((1, 3, 20, 20), (8, 3, 7, 5), strides=(2, 2)),
        ConvCase((1, 5, 20, 20), (8, 5, 7, 7), strides=(2, 2)),
        ConvCase((1, 3, 20, 20), (8, 3, 7, 7), strides=(2, 2), dilations=(2, 2)),
        ConvCase((1, 4, 20, 20), (8, 2, 7, 7), strides=(2, 2), group=2),
    ],
    ids=["dense", "one output", "not square", "many channels", "dilated", "grouped"],
)
def test_is_not_offered_for_other_convolutions(case: ConvCase) -> None:
    problem = request(case.op, case.arrays(), [1, 2], "plain", isa.current(), 1)
    assert not [c for c in choices(problem) if c.algorithm.endswith("s2")]
