"""LRN, local response normalization across channels: y = x / (bias + alpha / size * sum of squares)^beta.

The sum goes over `size` neighbouring channels. In the blocked layout these are lanes of up to three neighbouring
blocks: the squares of a few pixels are written side by side, three blocks a pixel, and read again at every shift.
Source: Krizhevsky et al. 2012, ImageNet Classification with Deep Convolutional Neural Networks, section 3.3.
"""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cpu.cost import transfer_s
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require
from tinycnn.kernels.lowering import Choice, Emitter, Request, blocked_size, blocks, can_block, lowers

PIXELS = 32  # of a piece: their squares are long stored when they are read again
FIELDS = fields("x:addr y:addr squares:addr squares_bytes n c pixels before after bias:f32 alpha:f32 beta:f32")


def ranges(lanes: int, v: SimpleNamespace) -> Iterable[Range]:
    require(max(v.before, v.after) <= lanes, "the sum reaches beyond a block")
    nbytes = 4 * blocked_size((v.n, v.c, v.pixels), lanes)
    yield Range("x", 0, nbytes)
    yield Range("y", 0, nbytes, writes=True)
    require(scratch_bytes(lanes) <= v.squares_bytes, "the squares do not fit")
    yield Range("squares", 0, v.squares_bytes, writes=True, per_thread=True)


def scratch_bytes(lanes: int) -> int:
    """Of one thread."""
    return 3 * PIXELS * 4 * lanes


@functools.cache
def lrn(isa: str) -> Kernel:
    """x and y: f32 [n, c, pixels], blocked. The sum reaches from `before` channels below to `after` above, each at
    most lanes; alpha is already divided by the size."""
    lanes = ISAS[isa].lanes

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import fma, inline, sqrt, store, vectors
        from tinycnn.kernels.cpu.vmath import functions

        v, f = vectors(lanes), functions(lanes)
        load, load_part, splat = v.load, v.load_part, v.splat
        exp, log = f.exp, f.log
        size = 4 * lanes

        @inline
        def square(x, to, count, channels):
            """The squares of one block's pixels, zeros behind its last channel; all zeros outside of the tensor."""
            for i in range(count):
                value = splat(0.0)
                if channels >= lanes:
                    value = load(x + i * size)
                elif channels > 0:
                    value = load_part(x + i * size, channels)
                store(to + 3 * i * size, value * value)

        def body(x, y, squares, squares_bytes, n, c, pixels, before, after, bias, alpha, beta, thread, threads):
            k, a, b = splat(bias), splat(alpha), splat(-beta)
            by_roots = beta == np.float32(0.75)  # x^(-3/4) = x^(-1/2) x^(-1/4); the paper's exponent
            mine = squares + thread * squares_bytes
            block_count = (c + lanes - 1) // lanes
            chunks = (pixels + PIXELS - 1) // PIXELS
            pieces = n * block_count * chunks
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                block, first = piece // chunks, piece % chunks * PIXELS
                count = min(PIXELS, pixels - first)
                place = (block * pixels + first) * size
                channel = block % block_count * lanes
                for side in range(3):
                    start = channel + (side - 1) * lanes
                    here = c - start if start >= 0 else 0
                    square(x + place + (side - 1) * pixels * size, mine + side * size, count, here)
                for i in range(count):
                    window = mine + (3 * i + 1) * size
                    total = splat(0.0)
                    for shift in range(-before, after + 1):
                        total = total + load(window + 4 * shift)
                    power = fma(a, total, k)
                    if by_roots:
                        root = splat(1.0) / sqrt(power)
                        power = root * sqrt(root)
                    else:
                        power = exp(b * log(power))
                    store(y + place + i * size, load(x + place + i * size) * power)

        return body

    return Kernel(f"lrn_f32_nchw{lanes}c__{isa}", FIELDS, build, functools.partial(ranges, lanes), isa)


def kernels(isa: str) -> Iterable[Kernel]:
    yield lrn(isa)


@lowers("LRN")
def lower(r: Request) -> Iterable[Choice]:
    x, op, lanes = r.inputs[0], r.op, r.target.lanes
    before, after = (op.size - 1) // 2, op.size // 2
    if x is None or not can_block(x) or after > lanes:
        return
    n, c, *spatial = x.dims

    def emit(e: Emitter) -> None:
        squares = e.apart(scratch_bytes(lanes))
        e.row(
            lrn(r.target.name), x=e.input(0), y=e.output(), squares=squares, squares_bytes=squares.stride, n=n, c=c,
            pixels=math.prod(spatial), before=before, after=after, bias=op.bias, alpha=op.alpha / op.size, beta=op.beta,
        )  # fmt: skip

    nbytes = 4 * blocked_size(x.dims, lanes)
    reason = f"{blocks(c, lanes)} blocks of channels"
    yield Choice("lrn", ("blocked",), "blocked", 2 * transfer_s(2 * nbytes), reason, emit)
