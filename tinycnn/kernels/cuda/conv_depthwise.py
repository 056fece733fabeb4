"""Depthwise convolution: every channel by its own kernels. A thread computes outputs below each other of one column.

    y[oy .. oy + rows - 1][ox] += x[oy * s + i][ox * s + j] * w[i, j]

Neighbouring threads are on neighbouring columns, so that rows of the input come in whole lines, and from L1 where
windows overlap. Nothing is padded or copied: what lies outside the input is not read.
"""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels import convolution
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cuda import conv, epilogue, tuning
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over, takes
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Request, lowers

THREADS = 128
ROW = (
    "x:addr w:addr b:addr r:addr y:addr images channels multiple h wd oh ow kh kw sh sw dh dw pt:signed pl:signed "
    + epilogue.FIELDS
)
Window = tuple[int, int, int]
ANY = (0, 0, 1)  # a window of any size, stride and dilation


def ranges(window: Window, v: SimpleNamespace) -> Iterable[Range]:
    k, stride, rows = window
    require_positive(v, "images channels multiple h wd oh ow kh kw sh sw dh dw")
    if k:
        require((v.kh, v.kw, v.sh, v.sw, v.dh, v.dw) == (k, k, stride, stride, 1, 1), "not the window compiled for")
    require(v.channels % v.multiple == 0, "an input channel has too few outputs")
    inputs, outputs = v.images * (v.channels // v.multiple) * v.h * v.wd, v.images * v.channels * v.oh * v.ow
    bottom, right = over(v.oh, rows) * rows * v.sh + v.kh * v.dh, v.ow * v.sw + v.kw * v.dw
    reach = max(bottom + abs(v.pt), right + abs(v.pl), v.h, v.wd)
    require(max(inputs, outputs, reach) < MOST_ELEMENTS, "too many elements")
    yield Range("x", 0, 4 * inputs)
    yield Range("w", 0, 16 * v.channels * v.kw * over(v.kh, 4))
    if v.b:
        yield Range("b", 0, 4 * v.channels)
    if v.r:
        yield Range("r", 0, 4 * outputs)
    yield Range("y", 0, 4 * outputs, writes=True)


@functools.cache
def depthwise(window: Window, function: str, target: str) -> CudaKernel:
    """y = f(conv(x, w) + b + r), b and r 0 for none.

    x f32 [images, channels / multiple, h, wd]; w as `pack` makes it; b f32 [channels]; y, r f32 [images, channels, oh,
    ow]. window: size and stride in both directions, and rows of outputs that a thread computes.
    """
    k, stride, rows = window

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import formulas
        from tinycnn.kernels.cuda.simt import cuda, inline, inside, load, load4, modulo, over, store

        f, f32 = formulas()[function], np.float32
        span, quads = (rows - 1) * stride + k, (k + 3) // 4
        taps = 4 * quads

        @inline
        def fixed(acc, source, w, row, col, h, wd, kh, kw, dh, dw):
            column, wv = cuda.local.array(span, np.float32), cuda.local.array(taps, np.float32)
            for j in range(k):
                at = source + 4 * (row * wd + col + j)
                for i in range(span):
                    column[i] = load(at) if inside(row + i, h) & inside(col + j, wd) else f32(0)
                    at += 4 * wd
                for q in range(quads):
                    wv[4 * q], wv[4 * q + 1], wv[4 * q + 2], wv[4 * q + 3] = load4(w + 16 * (quads * j + q))
                for i in range(k):
                    for o in range(rows):
                        acc[o] += column[i + o * stride] * wv[i]

        @inline
        def general(acc, source, w, row, col, h, wd, kh, kw, dh, dw):
            total, j = f32(0), 0
            while j < kw:
                i, at, weight = 0, source + 4 * (row * wd + col + j * dw), w
                while i < kh:
                    value = load(at) if inside(row + i * dh, h) & inside(col + j * dw, wd) else f32(0)
                    total += value * load(weight)
                    at += 4 * dh * wd
                    weight += 4
                    i += 1
                w += 16 * over(kh + 3, 4)
                j += 1
            acc[0] = total

        gather = fixed if k else general

        def kernel(
            x, w, b, r, y, images, channels, multiple, h, wd, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, alpha, beta
        ):
            item = np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x
            bands = over(oh + rows - 1, rows)
            if item < images * channels * bands * ow:
                ox, band = modulo(item, ow), over(item, ow)
                oy, plane = modulo(band, bands) * rows, over(band, bands)
                channel = modulo(plane, channels)
                acc = cuda.local.array(rows, np.float32)
                for o in range(rows):
                    acc[o] = f32(0)
                source = x + 4 * over(plane, multiple) * h * wd
                weights = w + 16 * channel * kw * over(kh + 3, 4)
                gather(acc, source, weights, oy * sh - pt, ox * sw - pl, h, wd, kh, kw, dh, dw)
                bias = load(b + 4 * channel) if b != 0 else f32(0)
                at = 4 * ((plane * oh + oy) * ow + ox)
                for o in range(rows):
                    if oy + o < oh:
                        value = acc[o] + bias
                        if r != 0:
                            value += load(r + at)
                        store(y + at, f(value, alpha, beta))
                        at += 4 * ow

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.images * v.channels * over(v.oh, rows) * v.ow, THREADS), 1, 1

    shape = f"_{k}x{k}_s{stride}" if k else ""
    name = f"conv_depthwise{shape}{epilogue.suffix(function)}_f32_nchw_{rows}x1"
    return cuda_kernel(name, ROW, build, functools.partial(ranges, window), target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    return [depthwise(window, "clamp", target) for window in (*tuning.DEPTHWISE_WINDOWS, ANY)]


def pack(w: np.ndarray) -> np.ndarray:
    """Weights f32 [channels, 1, kh, kw] as [channels, kw, kh], kh rounded up to whole fours."""
    columns = w[:, 0].swapaxes(1, 2)
    return np.pad(columns, ((0, 0), (0, 0), (0, -columns.shape[2] % 4)))


def window(p: ConvProblem) -> Window:
    """The window of tuning.DEPTHWISE_WINDOWS that this is, or ANY."""
    for k, stride, rows in tuning.DEPTHWISE_WINDOWS:
        if (p.kh, p.kw, p.sh, p.sw, p.dh, p.dw) == (k, k, stride, stride, 1, 1):
            return k, stride, rows
    return ANY


@lowers("Conv", on="cuda")
def lower(r: Request) -> Iterable[Choice]:
    """One input channel a group, and any number of outputs of each."""
    p = convolution.problem(r)
    if p is None or p.g != p.ci:
        return
    kernel = depthwise(window(p), epilogue.function(r.op.activation), r.target.name)
    row = {
        "images": p.n, "channels": p.co, "multiple": p.co // p.g, "h": p.h, "wd": p.w, "oh": p.oh, "ow": p.ow,
        "kh": p.kh, "kw": p.kw, "sh": p.sh, "sw": p.sw, "dh": p.dh, "dw": p.dw, "pt": p.pt, "pl": p.pl,
        **epilogue.values(r.op.activation),
    }  # fmt: skip
    if not takes(kernel, **row):
        return

    def emit(e: Emitter) -> None:
        w, bias = convolution.weights(r)
        e.row(
            kernel, x=e.input(0), w=e.weights("depthwise", lambda: pack(w)), y=e.output(),
            b=0 if bias is None else e.weights("bias", lambda: bias),
            r=e.input(3) if convolution.has_residual(r) else 0, **row,
        )  # fmt: skip

    moved = 4 * p.n * (p.ci * p.h * p.w + p.co * p.oh * p.ow * (2 if convolution.has_residual(r) else 1))
    peak = tuning.PEAK_MACS["f32"] * r.target.multiprocessors * tuning.DEPTHWISE_EFFICIENCY
    time_s = max(tuning.transfer_s(moved), tuning.ROW_S + p.macs / peak)
    yield Choice("depthwise", conv.layouts(r), "plain", time_s, f"{p.kh}x{p.kw} taps of one channel", emit)
