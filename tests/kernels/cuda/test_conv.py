"""Every algorithm of convolution on CUDA kernels, with every tile, against the float64 reference."""

import pytest

from tests.cases.conv import DENSE, GROUPED, ConvCase
from tests.kernels.cuda.harness import case, everywhere, run
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cuda import conv_im2col, tuning
from tinycnn.kernels.cuda.conv_im2col import Plan, Product
from tinycnn.kernels.cuda.tuning import Tile

SPLITS = (1, 3)
SMALL = Tile(16, 32, 8, 4, 4)  # one warp: the simulator has a thread of Python for each of a block


def check(conv: ConvCase, place: str, algorithm: str) -> None:
    arrays = conv.arrays()
    [y] = run(case(conv.op, arrays, [1, 2]), place, algorithm)
    assert_close(y, conv.op.reference(*arrays)[0], ROUNDING(8), conv.magnitude(arrays))


@everywhere
@pytest.mark.parametrize("conv", [*DENSE, *GROUPED], ids=str)
def test_im2col(conv: ConvCase, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if place == "simulator":
        monkeypatch.setattr(conv_im2col, "best", lambda p, device: Plan(p, SMALL, 1, 0.0))
    check(conv, place, "im2col")


SHAPES = [
    ConvCase((2, 35, 5, 7), (37, 35, 3, 2), strides=(2, 1), pads=(1, 0, 1, 2), residual=True),
    ConvCase((1, 70, 4, 4), (131, 70, 1, 1)),
    ConvCase((1, 10, 9, 5), (14, 5, 2, 3), pads=(0, 1, 1, 1), dilations=(2, 1), group=2),
]


@everywhere
@pytest.mark.parametrize("splits", SPLITS)
@pytest.mark.parametrize("tile", tuning.TILES["f32"], ids=str)
@pytest.mark.parametrize("conv", SHAPES, ids=str)
def test_every_tile(conv: ConvCase, tile: Tile, splits: int, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(p: Product, device: object) -> Plan:
        steps = p.kh * p.kw * -(-p.ci // tile.k)
        return Plan(p, tile, min(splits, steps), 0.0)

    monkeypatch.setattr(conv_im2col, "best", chosen)
    check(conv, place, "im2col")


def test_splits_are_planned_where_blocks_are_few() -> None:
    from tinycnn.kernels.cuda.device import Device

    few, many = Product(1, 1, 512, 7, 7, 512, 7, 7), Product(64, 1, 64, 56, 56, 64, 56, 56)
    assert conv_im2col.best(few, Device(90)).splits > 1
    assert conv_im2col.best(many, Device(90)).splits == 1
