"""Every algorithm of convolution on CUDA kernels, with every tile and precision, against the float64 reference."""

import functools

import numpy as np
import pytest

from tests.cases.conv import DENSE, GROUPED, ConvCase
from tests.kernels.cuda.harness import SMALL, SMALL_TENSOR, case, everywhere, run
from tests.numerics import ROUNDING, U, assert_close
from tinycnn.kernels.cuda import conv_im2col, tuning
from tinycnn.kernels.cuda.conv_im2col import Plan, Product
from tinycnn.kernels.cuda.device import PRECISIONS, Device, Precision
from tinycnn.kernels.cuda.precision import from_words
from tinycnn.kernels.cuda.tuning import Tile

# Roundings that each algorithm may be off: Winograd's transforms amplify them; the numbers of the tensor cores have 10
# bits behind the point, BF16 7.
ROUNDINGS = {"im2col": 8, "winograd_f2x3": 16, "winograd_f4x3": 128}
UNITS = {"tf32": 2.0**-11, "bf16": 2.0**-8, "f16": 2.0**-11}
WINOGRAD = [
    ConvCase((1, 19, 14, 9), (23, 19, 3, 3), pads=(1, 1, 1, 1), residual=True),
    ConvCase((3, 7, 3, 2), (20, 7, 3, 3), pads=(1, 1, 1, 1)),
    ConvCase((2, 5, 6, 7), (3, 5, 3, 3), pads=(0, 2, 1, 0), bias=False),
]
SHAPES = [
    ConvCase((2, 35, 5, 7), (37, 35, 3, 2), strides=(2, 1), pads=(1, 0, 1, 2), residual=True),
    ConvCase((1, 70, 4, 4), (131, 70, 1, 1)),
    ConvCase((1, 10, 9, 5), (14, 5, 2, 3), pads=(0, 1, 1, 1), dilations=(2, 1), group=2),
]


def check(conv: ConvCase, place: str, algorithm: str, precision: Precision = "f32") -> None:
    arrays = conv.arrays()
    [y] = run(case(conv.op, arrays, [1, 2]), place, algorithm, precision)
    c = ROUNDINGS[algorithm] if precision == "f32" else 2 * UNITS[precision] / U
    assert_close(y, conv.op.reference(*arrays)[0], ROUNDING(c), conv.magnitude(arrays))


def planned(p: Product, device: Device, tile: Tile, splits: int = 1) -> Plan:
    steps = p.kh * p.kw * -(-p.ci // tile.k)
    return Plan(p, tile, min(splits, steps), 0.0)


@pytest.fixture
def small(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small blocks for the simulator."""
    if place == "simulator":
        monkeypatch.setattr(conv_im2col, "best", functools.partial(planned, tile=SMALL))


@everywhere
@pytest.mark.parametrize("conv", [*DENSE, *GROUPED], ids=str)
def test_im2col(conv: ConvCase, place: str, small: None) -> None:
    check(conv, place, "im2col")


@everywhere
@pytest.mark.parametrize("splits", [1, 3])
@pytest.mark.parametrize("tile", tuning.TILES["f32"], ids=str)
@pytest.mark.parametrize("conv", SHAPES, ids=str)
def test_every_tile(conv: ConvCase, tile: Tile, splits: int, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conv_im2col, "best", functools.partial(planned, tile=tile, splits=splits))
    check(conv, place, "im2col")


@everywhere
@pytest.mark.parametrize("precision", PRECISIONS[1:])
@pytest.mark.parametrize("conv", SHAPES[1:], ids=str)
def test_tensor_cores(conv: ConvCase, precision: Precision, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tiles = [SMALL_TENSOR[precision]] if place == "simulator" else tuning.TILES[precision]
    for tile in tiles:
        monkeypatch.setattr(conv_im2col, "best", functools.partial(planned, tile=tile, splits=2))
        check(conv, place, "im2col", precision)


@everywhere
@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("conv", WINOGRAD, ids=str)
def test_winograd(conv: ConvCase, m: int, place: str, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a few tiles, the last shorter."""
    monkeypatch.setattr(tuning, "L2_BYTES", 60_000)
    check(conv, place, f"winograd_f{m}x3")


def test_splits_are_planned_where_blocks_are_few() -> None:
    few, many = Product(1, 1, 512, 7, 7, 512, 7, 7), Product(64, 1, 64, 56, 56, 64, 56, 56)
    assert conv_im2col.best(few, Device(90)).splits > 1
    assert conv_im2col.best(many, Device(90)).splits == 1


@pytest.mark.parametrize("precision", PRECISIONS)
def test_packing_keeps_every_weight_once(precision: Precision) -> None:
    w = np.arange(1, 3 * 5 * 7 * 2 + 1, dtype=np.float32).reshape(1, 15, 7, 2, 1)
    for tile in tuning.TILES[precision]:
        packed = conv_im2col.pack(w, tile)
        values = np.sort(from_words(packed, precision).ravel() if precision != "f32" else packed.ravel())
        np.testing.assert_array_equal(values[-w.size :], w.ravel())
        assert not values[: -w.size].any()
