"""LRN, local response normalization across channels: y = x / (bias + alpha / size * sum of squares)^beta.

A thread takes a few neighbouring channels of a pixel, whose sums have squares in common.
Source: Krizhevsky et al. 2012, ImageNet Classification with Deep Convolutional Neural Networks, section 3.3.
"""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda import tuning
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Request, lowers

THREADS, EACH = 256, 4  # threads of a block, channels of a thread
ROW = "x:addr y:addr n c pixels before after bias:f32 alpha:f32 beta:f32"


def ranges(size: int, v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "n c pixels")
    require(v.n * v.c * v.pixels < MOST_ELEMENTS, "too many elements")
    require(not size or (v.before, v.after) == ((size - 1) // 2, size // 2), "not the size compiled for")
    nbytes = 4 * v.n * v.c * v.pixels
    yield Range("x", 0, nbytes)
    yield Range("y", 0, nbytes, writes=True)


@functools.cache
def lrn(size: int, target: str) -> CudaKernel:
    """x and y: f32 [n, c, pixels]. The sum reaches from `before` channels below to `after` above; alpha is already
    divided by the size. size: of the sum, 0 for any."""

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import exp, log
        from tinycnn.kernels.cuda.simt import cuda, inline, inside, load, modulo, over, store

        f32 = np.float32
        span, low = EACH + size - 1, (size - 1) // 2

        @inline
        def fixed(values, sums, source, first, c, plane, before, after):
            squares = cuda.local.array(span, np.float32)
            for i in range(span):
                channel = first + i - low
                value = load(source + plane * channel) if inside(channel, c) else f32(0)
                squares[i] = value * value
                if 0 <= i - low < EACH:
                    values[i - low] = value
            for o in range(EACH):
                sums[o] = squares[o]
                for i in range(1, size):
                    sums[o] += squares[o + i]

        @inline
        def general(values, sums, source, first, c, plane, before, after):
            for o in range(EACH):
                channel = first + o
                values[o] = load(source + plane * channel) if channel < c else f32(0)
                total = f32(0)
                i, last = max(0, channel - before), min(c - 1, channel + after)
                while i <= last:
                    value = load(source + plane * i)
                    total += value * value
                    i += 1
                sums[o] = total

        gather = fixed if size else general

        def kernel(x, y, n, c, pixels, before, after, bias, alpha, beta):
            item = np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x
            bands = over(c + EACH - 1, EACH)
            if item < n * bands * pixels:
                pixel, band = modulo(item, pixels), over(item, pixels)
                first, image = modulo(band, bands) * EACH, over(band, bands)
                place, plane = 4 * (image * c * pixels + pixel), 4 * pixels
                values, sums = cuda.local.array(EACH, np.float32), cuda.local.array(EACH, np.float32)
                gather(values, sums, x + place, first, c, plane, before, after)
                for o in range(EACH):
                    if first + o < c:
                        power = exp(-beta * log(bias + alpha * sums[o]))
                        store(y + place + plane * (first + o), values[o] * power)

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.n * over(v.c, EACH) * v.pixels, THREADS), 1, 1

    name = f"lrn_size{size}_f32_nchw" if size else "lrn_f32_nchw"
    return cuda_kernel(name, ROW, build, functools.partial(ranges, size), target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    return [lrn(size, target) for size in (*tuning.LRN_SIZES, 0)]


@lowers("LRN", on="cuda")
def lower(r: Request) -> Iterable[Choice]:
    x, op = r.inputs[0], r.op
    if x is None or x.dtype != np.float32 or not 0 < x.size < MOST_ELEMENTS:
        return
    n, c, *spatial = x.dims
    size = op.size if op.size in tuning.LRN_SIZES else 0

    def emit(e: Emitter) -> None:
        e.row(
            lrn(size, r.target.name), x=e.input(0), y=e.output(), n=n, c=c, pixels=math.prod(spatial),
            before=(op.size - 1) // 2, after=op.size // 2, bias=op.bias, alpha=op.alpha / op.size, beta=op.beta,
        )  # fmt: skip

    time_s = tuning.transfer_s(2 * x.nbytes)
    yield Choice("lrn", ["plain"], "plain", time_s, f"{op.size} of {c} channels at once", emit)
