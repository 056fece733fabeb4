"""Requests of convolutions, and what could have been measured of them."""

from tests.kernels.cpu.harness import request
from tests.planner.programs import normal
from tinycnn.kernels.cpu import isa
from tinycnn.kernels.lowering import Request
from tinycnn.ops.conv import Conv
from tinycnn.planner.select import offers
from tinycnn.planner.tuned import Tuned

# Channels in and out, height and width, kernel.
SHAPES = [(160, 320, 7, 7, 3), (48, 128, 7, 7, 5), (96, 208, 14, 14, 3), (3, 64, 61, 67, 7), (64, 64, 28, 29, 1)]


def convolution(ci: int, co: int, h: int, w: int, k: int, **attributes: object) -> Request:
    arrays = [normal(1, ci, h, w), normal(co, ci, k, k)]
    op = Conv(pads=(k // 2,) * 4, **attributes)  # type: ignore[arg-type]
    return request(op, arrays, [1], "blocked", isa.current(), 1)


def measured(r: Request, fastest: str) -> Tuned:
    """As if this choice took 1 ms and each other one more than the one before."""
    names = [fastest, *(c.name for c in offers(r) if c.name != fastest)]
    return Tuned(fastest, {name: 1.0 + i for i, name in enumerate(names)}, dict.fromkeys(names, 2.5))
