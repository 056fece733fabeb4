"""Direct convolution on CUDA kernels against its reference, with every tile."""

import pytest

from tests.cases.conv import DENSE, DEPTHWISE, GROUPED, RELU, ConvCase
from tests.kernels.cuda.harness import algorithms, case, device, everywhere, run
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cuda import conv_direct, tuning
from tinycnn.kernels.cuda.conv_direct import Plan, plans
from tinycnn.kernels.cuda.device import Device
from tinycnn.kernels.cuda.tuning import DirectTile


def check(conv: ConvCase, place: str) -> None:
    arrays = conv.arrays()
    [y] = run(case(conv.op, arrays, [1, 2]), place, "direct")
    assert_close(y, conv.op.reference(*arrays)[0], ROUNDING(8), conv.magnitude(arrays))


@everywhere
@pytest.mark.parametrize(
    "conv", [c for c in [*DENSE, *GROUPED, *DEPTHWISE] if c.w[1] <= tuning.DIRECT_CHANNELS], ids=str
)
def test_matches_the_reference(conv: ConvCase, place: str) -> None:
    check(conv, place)


@everywhere
@pytest.mark.parametrize("tile", tuning.DIRECT_TILES, ids=lambda tile: f"{tile.cols}x{tile.rows}{tile.window}")
def test_every_tile(tile: DirectTile, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Channels and rows that leave a rest, and taps outside the input on all sides."""

    def chosen(p: ConvProblem, device: object) -> Plan:
        [plan] = [plan for plan in plans(p, device) if plan.tile == tile]
        return plan

    monkeypatch.setattr(conv_direct, "best", chosen)
    k, stride = tile.kh or 2, tile.stride or 3
    check(ConvCase((2, 4, k + 9, 7), (10, 2, k, 3), (stride, 2), (1, 0, 2, 2), (1, 2), 2, activation=RELU), place)
    check(ConvCase((1, 3, k + 3, 3), (3, 3, k, 2), (stride, 1), (2, 1, 0, 1), residual=True, bias=False), place)


def test_offers_nothing_for_wide_groups() -> None:
    wide = ConvCase((1, 70, 4, 4), (10, 70, 1, 1))
    assert "direct" not in algorithms(case(wide.op, wide.arrays(), [1, 2]), device("simulator"))


def test_windows_of_their_own_are_chosen_for_first_layers() -> None:
    for k, stride in tuning.DIRECT_WINDOWS:
        tile = conv_direct.best(ConvProblem(1, 3, 224, 224, 64, 56, 56, k, k, stride, stride), Device(90)).tile
        assert (tile.kh, tile.stride) == (k, stride)
    dilated = ConvProblem(1, 3, 224, 224, 64, 220, 220, 3, 3, dh=2, dw=2)
    assert conv_direct.best(dilated, Device(90)).tile.kh == 0


@pytest.mark.gpu
@pytest.mark.parametrize(
    "conv",
    [
        ConvCase((2, 3, 224, 224), (64, 3, 7, 7), (2, 2), (3, 3, 3, 3), activation=RELU),
        ConvCase((2, 3, 227, 227), (96, 3, 11, 11), (4, 4)),
        ConvCase((1, 3, 113, 111), (35, 3, 3, 3), (2, 2), (0, 0, 1, 1)),
        ConvCase((3, 128, 28, 29), (128, 4, 3, 3), (), (1, 1, 1, 1), group=32, residual=True),
    ],
    ids=str,
)
def test_layers_of_networks(conv: ConvCase) -> None:
    check(conv, "gpu")
