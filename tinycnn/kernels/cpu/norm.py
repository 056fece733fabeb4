"""InstanceNormalization, GroupNormalization and LayerNormalization: rows made to have mean 0 and variance 1.

y = (x - mean) / sqrt(variance + epsilon) * scale + bias, mean and variance taken over a row in two passes, of which the
second corrects the first: a mean that is large beside the deviation costs no accuracy.
Source: Chan, Golub, LeVeque, The American Statistician 37 (1983), the corrected two-pass algorithm.
"""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cpu.cost import transfer_s
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, blocks, can_block, lowers
from tinycnn.kernels.normalization import KINDS, parameters, rows

BLOCKED = fields("x:addr scale:addr bias:addr y:addr n c pixels epsilon:f32")
PLAIN = fields("x:addr scale:addr bias:addr y:addr rows period channels pixels epsilon:f32")
RUN = 256  # vectors that are summed on their own: beside a total of millions, small numbers would be lost


def blocked_ranges(lanes: int, v: SimpleNamespace) -> Iterable[Range]:
    nbytes = 4 * v.n * v.c * v.pixels * lanes
    yield Range("x", 0, nbytes)
    yield Range("y", 0, nbytes, writes=True)
    yield Range("scale", 0, 4 * v.c * lanes)
    yield Range("bias", 0, 4 * v.c * lanes)


def plain_ranges(v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "period")
    nbytes = 4 * v.rows * v.channels * v.pixels
    yield Range("x", 0, nbytes)
    yield Range("y", 0, nbytes, writes=True)
    yield Range("scale", 0, 4 * min(v.rows, v.period) * v.channels)
    yield Range("bias", 0, 4 * min(v.rows, v.period) * v.channels)


def sums(lanes: int) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Sums over the vectors from x to stop, lane by lane: in runs, whose few terms keep their digits.

    add_up(x, stop, total)                             total plus the vectors
    add_deviations(x, stop, center, rest, squares)     rest plus x - center, squares plus its square
    """
    from tinycnn.kernels.cpu.simd import fma, inline, vectors

    load, splat, size = vectors(lanes).load, vectors(lanes).splat, 4 * lanes

    @inline
    def add_up(x, stop, total):
        while x < stop:
            a = b = c = d = splat(0.0)
            end = min(stop, x + RUN * size)
            while x + 3 * size < end:
                a, b, c, d = a + load(x), b + load(x + size), c + load(x + 2 * size), d + load(x + 3 * size)
                x += 4 * size
            while x < end:
                a = a + load(x)
                x += size
            total = total + ((a + b) + (c + d))
        return total

    @inline
    def add_deviations(x, stop, center, rest, squares):
        while x < stop:
            a = b = aa = bb = splat(0.0)
            end = min(stop, x + RUN * size)
            while x + size < end:
                d, e = load(x) - center, load(x + size) - center
                a, b, aa, bb = a + d, b + e, fma(d, d, aa), fma(e, e, bb)
                x += 2 * size
            if x < end:
                d = load(x) - center
                a, aa = a + d, fma(d, d, aa)
                x += size
            rest, squares = rest + (a + b), squares + (aa + bb)
        return rest, squares

    return add_up, add_deviations


@functools.cache
def normalize_blocked(isa: str) -> Kernel:
    """Rows are the pixels of one channel: x, y f32 [n][c][pixels][lanes], scale and bias [c][lanes], c in blocks."""
    lanes = ISAS[isa].lanes

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import fma, sqrt, store, vectors

        v = vectors(lanes)
        load, splat = v.load, v.splat
        add_up, add_deviations = sums(lanes)
        size = 4 * lanes

        def body(x, scale, bias, y, n, c, pixels, epsilon, thread, threads):
            per_pixel = splat(1.0) / splat(pixels)
            pieces = n * c
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                place = piece * pixels * size
                source, to = x + place, y + place
                stop = source + pixels * size
                mean = add_up(source, stop, splat(0.0)) * per_pixel
                rest, squares = add_deviations(source, stop, mean, splat(0.0), splat(0.0))
                rest = rest * per_pixel
                mean, variance = mean + rest, squares * per_pixel - rest * rest
                channel = piece % c * size
                factor = load(scale + channel) / sqrt(variance + splat(epsilon))
                shift = load(bias + channel)
                for i in range(0, pixels * size, size):
                    store(to + i, fma(load(source + i) - mean, factor, shift))

        return body

    name = f"instance_norm_f32_nchw{lanes}c__{isa}"
    return Kernel(name, BLOCKED, build, functools.partial(blocked_ranges, lanes), isa)


@functools.cache
def normalize_plain(isa: str) -> Kernel:
    """Rows of channels x pixels, all one after another; row r takes scale and bias from [r % period][channels]."""
    lanes = ISAS[isa].lanes

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import fma, inline, lane_sum, sqrt, store, store_part, vectors

        v = vectors(lanes)
        load, load_or, load_part, load_splat, splat = v.load, v.load_or, v.load_part, v.load_splat, v.splat
        add_up, add_deviations = sums(lanes)
        size = 4 * lanes

        @inline
        def total(x, count):
            rest = count % lanes
            stop = x + 4 * (count - rest)
            return splat(lane_sum(add_up(x, stop, load_part(stop, rest))))

        @inline
        def deviations(x, count, center):
            """Sums over the row of x - center and of its square, in every lane."""
            rest = count % lanes
            stop = x + 4 * (count - rest)
            remainder = load_or(stop, rest, center) - center
            remainder, squares = add_deviations(x, stop, center, remainder, remainder * remainder)
            return splat(lane_sum(remainder)), splat(lane_sum(squares))

        @inline
        def spread(x, y, count, mean, factor, shift):
            """One channel: one factor and shift for all pixels."""
            rest = count % lanes
            whole = 4 * (count - rest)
            for i in range(0, whole, size):
                store(y + i, fma(load(x + i) - mean, factor, shift))
            if rest > 0:
                store_part(y + whole, rest, fma(load_part(x + whole, rest) - mean, factor, shift))

        @inline
        def spread_each(x, y, count, mean, scale, bias, inverse):
            """One pixel: a scale and bias for each element."""
            rest = count % lanes
            whole = 4 * (count - rest)
            for i in range(0, whole, size):
                store(y + i, fma(load(x + i) - mean, load(scale + i) * inverse, load(bias + i)))
            if rest > 0:
                factor = load_part(scale + whole, rest) * inverse
                value = fma(load_part(x + whole, rest) - mean, factor, load_part(bias + whole, rest))
                store_part(y + whole, rest, value)

        def body(x, scale, bias, y, rows, period, channels, pixels, epsilon, thread, threads):
            count = channels * pixels
            each = splat(1.0) / splat(count)
            for row in range(rows * thread // threads, rows * (thread + 1) // threads):
                source, to = x + 4 * row * count, y + 4 * row * count
                first = 4 * (row % period) * channels
                mean = total(source, count) * each
                rest, squares = deviations(source, count, mean)
                rest = rest * each
                mean, variance = mean + rest, squares * each - rest * rest
                inverse = splat(1.0) / sqrt(variance + splat(epsilon))
                if pixels == 1:
                    spread_each(source, to, count, mean, scale + first, bias + first, inverse)
                else:
                    for c in range(channels):
                        factor = load_splat(scale + first + 4 * c) * inverse
                        shift = load_splat(bias + first + 4 * c)
                        place = 4 * c * pixels
                        spread(source + place, to + place, pixels, mean, factor, shift)

        return body

    return Kernel(f"norm_f32__{isa}", PLAIN, build, plain_ranges, isa)


def kernels(isa: str) -> Iterable[Kernel]:
    yield normalize_blocked(isa)
    yield normalize_plain(isa)


@lowers(*KINDS)
def lower(r: Request) -> Iterable[Choice]:
    x = r.inputs[0]
    if x is None or x.dtype != np.float32 or x.size == 0:
        return
    sizes = rows(r, x.dims)
    found = parameters(r, x.dims, sizes["period"] * sizes["channels"])
    if found is None:
        return
    factors, shifts = found
    unused: list[Layout | None] = [None] * (len(r.inputs) - 1)

    def emit(e: Emitter) -> None:
        e.row(
            normalize_plain(r.target.name), x=e.input(0), y=e.output(), epsilon=r.op.epsilon, **sizes,
            scale=e.weights(f"scale {factors.shape}", lambda: factors),
            bias=e.weights(f"bias {shifts.shape}", lambda: shifts),
        )  # fmt: skip

    reason = f"{sizes['rows']} rows of {sizes['channels'] * sizes['pixels']}"
    yield Choice("norm", ["plain", *unused], "plain", 2 * transfer_s(2 * x.nbytes), reason, emit, in_place=0)
    if r.node.kind == "InstanceNormalization" and can_block(x):
        yield by_channel(r, factors, shifts, unused, reason)


def by_channel(r: Request, factors: np.ndarray, shifts: np.ndarray, unused: list[Layout | None], reason: str) -> Choice:
    """InstanceNormalization where it lies in blocks."""
    x, lanes = r.inputs[0], r.target.lanes
    assert x is not None
    n, channels, *spatial = x.dims
    c, pixels = blocks(channels, lanes), math.prod(spatial)
    pad = (0, c * lanes - channels)

    def emit(e: Emitter) -> None:
        e.row(
            normalize_blocked(r.target.name), x=e.input(0), y=e.output(), n=n, c=c, pixels=pixels, epsilon=r.op.epsilon,
            scale=e.weights("scale blocked", lambda: np.pad(factors, pad)),
            bias=e.weights("bias blocked", lambda: np.pad(shifts, pad)),
        )  # fmt: skip

    time_s = 2 * transfer_s(8 * n * c * pixels * lanes)
    return Choice("instance_norm", ["blocked", *unused], "blocked", time_s, reason, emit, in_place=0)
