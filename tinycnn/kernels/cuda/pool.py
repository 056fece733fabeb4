"""Max and average pooling over windows: a thread computes outputs below each other, whose windows share rows."""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels import pooling
from tinycnn.kernels.cuda import tuning
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over, takes
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Request, lowers
from tinycnn.kernels.pooling import GEOMETRY, Function

THREADS = 128
ROW = f"x:addr y:addr planes {GEOMETRY}"
ANY = (0, 0, 1)  # a window of any size, stride and dilation


def ranges(window: tuple[int, int, int], v: SimpleNamespace) -> Iterable[Range]:
    k, stride, rows = window
    require_positive(v, "planes h w oh ow kh kw sh sw dh dw")
    if k:
        require((v.kh, v.kw, v.sh, v.sw, v.dh, v.dw) == (k, k, stride, stride, 1, 1), "not the window compiled for")
    require(v.planes * max(v.h * v.w, v.oh * v.ow) < MOST_ELEMENTS, "too many elements")
    bottom, right = over(v.oh, rows) * rows * v.sh + v.kh * v.dh, v.ow * v.sw + v.kw * v.dw
    reach = max(bottom + abs(v.pt), right + abs(v.pl), v.ct, v.cl, v.cb, v.cr)
    require(reach + max(v.h, v.w) < MOST_ELEMENTS, "windows too far away")
    yield Range("x", 0, 4 * v.planes * v.h * v.w)
    yield Range("y", 0, 4 * v.planes * v.oh * v.ow, writes=True)


@functools.cache
def pool(function: Function, window: tuple[int, int, int], target: str) -> CudaKernel:
    """f32 [planes, h, w] -> [planes, oh, ow].

    window  size and stride in both directions, and rows of outputs that a thread computes
    """
    k, stride, rows = window
    is_max = function == "max"
    start = np.float32(-math.inf if is_max else 0)

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import at_least, divide, larger
        from tinycnn.kernels.cuda.simt import cuda, inline, inside, load, modulo, over, store

        f32 = np.float32
        span = (rows - 1) * stride + k
        count = span * k

        @inline
        def add(a, b):
            return a + b

        combine = larger if is_max else add

        @inline
        def first_inside(at, step):
            """The first of the places at, at + step, ... that is not negative."""
            if at >= 0:
                return 0
            return -at if step == 1 else over(step - 1 - at, step)

        @inline
        def counted(first, taps, step, low, high):
            """Taps that lie in [low, high)."""
            return min(taps, first_inside(first - high, step)) - min(taps, first_inside(first - low, step))

        @inline
        def fixed(acc, source, row, col, h, w, kh, kw, dh, dw):
            lines = cuda.local.array(count, np.float32)
            at = source + 4 * (row * w + col)
            for i in range(span):
                for j in range(k):
                    lines[i * k + j] = load(at + 4 * j) if inside(row + i, h) & inside(col + j, w) else start
                at += 4 * w
            for i in range(span):
                line = lines[i * k]
                for j in range(1, k):
                    line = combine(line, lines[i * k + j])
                for o in range(rows):
                    if 0 <= i - o * stride < k:
                        acc[o] = combine(acc[o], line)

        @inline
        def general(acc, source, row, col, h, w, kh, kw, dh, dw):
            total = start
            i, left = first_inside(row, dh), first_inside(col, dw)
            while i < kh and row + i * dh < h:
                j, at = left, source + 4 * ((row + i * dh) * w + col + left * dw)
                while j < kw and col + j * dw < w:
                    total = combine(total, load(at))
                    at += 4 * dw
                    j += 1
                i += 1
            acc[0] = total

        gather = fixed if k else general

        def kernel(x, y, planes, h, w, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, ct, cl, cb, cr):
            item = np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x
            bands = over(oh + rows - 1, rows)
            if item < planes * bands * ow:
                ox, band = modulo(item, ow), over(item, ow)
                oy, plane = modulo(band, bands) * rows, over(band, bands)
                row, col = oy * sh - pt, ox * sw - pl
                acc = cuda.local.array(rows, np.float32)
                for o in range(rows):
                    acc[o] = start
                gather(acc, x + 4 * plane * h * w, row, col, h, w, kh, kw, dh, dw)
                to = y + 4 * ((plane * oh + oy) * ow + ox)
                if k:
                    kh, kw, dh, dw = k, k, 1, 1
                cols = f32(counted(col, kw, dw, -cl, w + cr))
                for o in range(rows):
                    if oy + o < oh:
                        result = acc[o]
                        if not is_max:
                            taps = cols * f32(counted(row + o * sh, kh, dh, -ct, h + cb))
                            result = divide(result, at_least(taps, f32(1)))
                        store(to + 4 * o * ow, result)

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.planes * over(v.oh, rows) * v.ow, THREADS), 1, 1

    shape = f"{k}x{k}_s{stride}_" if k else ""
    name = f"{function}pool_{shape}f32_nchw_{rows}x1"
    return cuda_kernel(name, ROW, build, functools.partial(ranges, window), target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    for window in (*tuning.POOL_WINDOWS, ANY):
        yield from (pool(function, window, target) for function in ("max", "avg"))


def window(v: dict[str, int]) -> tuple[int, int, int]:
    """The window of tuning.POOL_WINDOWS that this is, or ANY."""
    for k, stride, rows in tuning.POOL_WINDOWS:
        if [v[name] for name in ("kh", "kw", "sh", "sw", "dh", "dw")] == [k, k, stride, stride, 1, 1]:
            return k, stride, rows
    return ANY


@lowers("MaxPool", "AveragePool", on="cuda")
def windows(r: Request) -> Iterable[Choice]:
    v = pooling.geometry(r)
    if v is None:
        return
    n, c = r.outputs[0].dims[:2]
    kernel, row = pool(pooling.function(r), window(v), r.target.name), {"planes": n * c, **v}
    if not takes(kernel, **row):
        return

    def emit(e: Emitter) -> None:
        e.row(kernel, x=e.input(0), y=e.output(), **row)

    moved = 4 * n * c * (v["h"] * v["w"] + v["oh"] * v["ow"])
    yield Choice("pool", ["plain"], "plain", tuning.transfer_s(moved), f"{v['kh']}x{v['kw']} taps a pixel", emit)
