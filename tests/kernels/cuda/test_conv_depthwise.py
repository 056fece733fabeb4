"""Depthwise convolution on CUDA kernels against its reference."""

import pytest

from tests.cases.conv import DEPTHWISE, RELU, ConvCase
from tests.kernels.cuda.harness import algorithms, case, device, everywhere, run
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cuda import conv_depthwise, tuning
from tinycnn.kernels.cuda.conv_depthwise import ANY

MULTIPLES = [
    ConvCase((2, 5, 8, 9), (15, 1, 3, 3), pads=(1, 1, 1, 1), group=5, residual=True),
    ConvCase((1, 3, 7, 6), (6, 1, 2, 4), pads=(1, 0, 0, 2), strides=(2, 1), group=3, activation=RELU),
]


def check(conv: ConvCase, place: str) -> None:
    arrays = conv.arrays()
    [y] = run(case(conv.op, arrays, [1, 2]), place, "depthwise")
    assert_close(y, conv.op.reference(*arrays)[0], ROUNDING(8), conv.magnitude(arrays))


@everywhere
@pytest.mark.parametrize("conv", [*DEPTHWISE, *MULTIPLES], ids=str)
def test_matches_the_reference(conv: ConvCase, place: str) -> None:
    check(conv, place)


@everywhere
@pytest.mark.parametrize("window", [*tuning.DEPTHWISE_WINDOWS, ANY], ids=str)
def test_every_window(window: tuple[int, int, int], place: str) -> None:
    k, stride, _ = window
    k, stride = k or 4, stride or 3
    check(ConvCase((1, 3, 10, 9), (3, 1, k, k), strides=(stride,) * 2, pads=(2, 1, 2, 3), group=3), place)


def test_offers_nothing_for_wider_groups() -> None:
    wide = ConvCase((2, 6, 7, 5), (9, 2, 3, 3), group=3)
    assert "depthwise" not in algorithms(case(wide.op, wide.arrays(), [1, 2]), device("simulator"))


def test_windows_of_their_own_are_chosen() -> None:
    small = ConvProblem(1, 8, 9, 9, 8, 7, 7, 3, 3, g=8)
    assert conv_depthwise.window(small)[:2] == (3, 1)
    assert conv_depthwise.window(ConvProblem(1, 8, 9, 9, 8, 5, 5, 3, 3, dh=2, dw=2, g=8)) == ANY


@pytest.mark.gpu
@pytest.mark.parametrize("window", [*tuning.DEPTHWISE_WINDOWS, ANY], ids=str)
def test_large_maps(window: tuple[int, int, int]) -> None:
    k, stride, _ = window
    k, stride = k or 3, stride or 3
    check(ConvCase((3, 67, 61, 59), (67, 1, k, k), strides=(stride,) * 2, pads=(1, 1, 1, 1), group=67), "gpu")
