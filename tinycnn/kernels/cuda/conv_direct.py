"""Direct convolution, for few input channels a group: first layers and narrow groups, where a matrix product is mostly
padding.

    y[cols channels][rows pixels] += w[cols channels][c, tap] (outer) x[c][rows pixels + tap]

A thread computes `cols` channels of outputs below each other. For each channel and column of taps it reads the pixels
that its rows need once; neighbouring threads are on neighbouring columns, so that these come in whole lines, and the
weights are the same for all of them.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels import convolution
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cuda import conv, epilogue, tuning
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over, takes
from tinycnn.kernels.cuda.tuning import DirectTile
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Request, lowers

THREADS, RESIDENT = 128, 4  # of a block; blocks of a multiprocessor
ROW = (
    "x:addr w:addr b:addr r:addr y:addr images groups ci h wd co oh ow kh kw sh sw dh dw pt:signed pl:signed "
    + epilogue.FIELDS
)


def ranges(tile: DirectTile, v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "images groups ci h wd co oh ow kh kw sh sw dh dw")
    if tile.kh:
        require((v.kh, v.sh, v.dh) == (tile.kh, tile.stride, 1), "not the window compiled for")
    planes, tiles = v.images * v.groups, over(v.co, tile.cols)
    inputs, outputs = planes * v.ci * v.h * v.wd, planes * tiles * tile.cols * v.oh * v.ow
    bottom, right = over(v.oh, tile.rows) * tile.rows * v.sh + v.kh * v.dh, v.ow * v.sw + v.kw * v.dw
    reach = max(bottom + abs(v.pt), right + abs(v.pl), v.h, v.wd)
    require(max(inputs, outputs, reach) < MOST_ELEMENTS, "too many elements")
    yield Range("x", 0, 4 * inputs)
    yield Range("w", 0, 4 * v.groups * tiles * tile.cols * v.ci * v.kw * v.kh)
    if v.b:
        yield Range("b", 0, 4 * v.groups * v.co)
    if v.r:
        yield Range("r", 0, 4 * planes * v.co * v.oh * v.ow)
    yield Range("y", 0, 4 * planes * v.co * v.oh * v.ow, writes=True)


def blocks(tile: DirectTile, v: SimpleNamespace) -> Blocks:
    return over(v.images * v.groups * over(v.co, tile.cols) * over(v.oh, tile.rows) * v.ow, THREADS), 1, 1


@functools.cache
def direct(tile: DirectTile, function: str, target: str) -> CudaKernel:
    """y = f(conv(x, w) + b + r), b and r 0 for none.

    x f32 [images, groups, ci, h, wd]; w as `pack` makes it; b f32 [groups, co]; y, r f32 [images, groups, co, oh, ow].
    """

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import formulas
        from tinycnn.kernels.cuda.simt import cuda, inline, inside, load, load4, modulo, over, store

        f, f32 = formulas()[function], np.float32
        k, stride, rows, cols = tile.kh, tile.stride, tile.rows, tile.cols
        span, results, quads = (rows - 1) * stride + k, rows * cols, cols // 4

        @inline
        def fetch_weights(wv, w):
            for q in range(quads):
                wv[4 * q], wv[4 * q + 1], wv[4 * q + 2], wv[4 * q + 3] = load4(w + 16 * q)

        @inline
        def fixed(acc, at, w, row, valid, h, line, kh, sh, dh):
            """One column of taps, of which `valid` says whether it lies in the input."""
            column, wv = cuda.local.array(span, np.float32), cuda.local.array(cols, np.float32)
            for i in range(span):
                column[i] = load(at) if inside(row + i, h) & valid else f32(0)
                at += line
            for i in range(k):
                fetch_weights(wv, w + 4 * cols * i)
                for n in range(cols):
                    for o in range(rows):
                        acc[n * rows + o] += wv[n] * column[i + o * stride]

        @inline
        def general(acc, at, w, row, valid, h, line, kh, sh, dh):
            column, wv = cuda.local.array(rows, np.float32), cuda.local.array(cols, np.float32)
            i = 0
            while i < kh:
                for o in range(rows):
                    column[o] = load(at + o * sh * line) if inside(row + o * sh, h) & valid else f32(0)
                fetch_weights(wv, w)
                for n in range(cols):
                    for o in range(rows):
                        acc[n * rows + o] += wv[n] * column[o]
                row += dh
                at += dh * line
                w += 4 * cols
                i += 1

        multiply = fixed if k else general

        def kernel(x, w, b, r, y, images, groups, ci, h, wd, co, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, alpha, beta):
            item = np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x
            bands, tiles = over(oh + rows - 1, rows), over(co + cols - 1, cols)
            if item < images * groups * tiles * bands * ow:
                ox, rest = modulo(item, ow), over(item, ow)
                oy, rest = modulo(rest, bands) * rows, over(rest, bands)
                first, plane = modulo(rest, tiles) * cols, over(rest, tiles)
                group = modulo(plane, groups)
                row, col, line = oy * sh - pt, ox * sw - pl, 4 * wd
                acc = cuda.local.array(results, np.float32)
                for i in range(results):
                    acc[i] = f32(0)
                source = x + plane * ci * h * line + row * line
                step = 4 * cols * kh
                weights = w + (group * tiles * cols + first) * ci * kw * kh * 4
                c = 0
                while c < ci:
                    j, at = col, source + 4 * col
                    while j < col + kw * dw:
                        multiply(acc, at, weights, row, inside(j, wd), h, line, kh, sh, dh)
                        weights += step
                        at += 4 * dw
                        j += dw
                    source += h * line
                    c += 1
                place = 4 * (((plane * co + first) * oh + oy) * ow + ox)
                for n in range(cols):
                    wanted = inside(first + n, co)
                    bias = load(b + 4 * (group * co + first + n)) if wanted & (b != 0) else f32(0)
                    at, to = r + place, y + place
                    for o in range(rows):
                        here = wanted & inside(oy + o, oh)
                        residual = load(at) if here & (r != 0) else f32(0)
                        value = f(acc[n * rows + o] + bias + residual, alpha, beta)
                        if here:
                            store(to, value)
                        at += 4 * ow
                        to += 4 * ow
                    place += 4 * oh * ow

        return kernel

    name = f"conv_direct{tile.window}{epilogue.suffix(function)}_f32_nchw_{tile.cols}x{tile.rows}"
    parts = functools.partial(ranges, tile), target, THREADS, functools.partial(blocks, tile), RESIDENT
    return cuda_kernel(name, ROW, build, *parts)


def kernels(target: str) -> Iterable[CudaKernel]:
    return [direct(tile, "clamp", target) for tile in tuning.DIRECT_TILES]


def pack(w: np.ndarray, groups: int, cols: int) -> np.ndarray:
    """Weights f32 [groups * co, ci, kh, kw] as [groups, co / cols, ci, kw, kh, cols]."""
    _, ci, kh, kw = w.shape
    grouped = w.reshape(groups, -1, ci, kh, kw)
    padded = np.pad(grouped, ((0, 0), (0, -grouped.shape[1] % cols), (0, 0), (0, 0), (0, 0)))
    return np.ascontiguousarray(padded.reshape(groups, -1, cols, ci, kh, kw).transpose(0, 1, 3, 5, 4, 2))


@dataclass(frozen=True)
class Plan:
    """A way to compute a problem, and the seconds that it should take."""

    tile: DirectTile
    row: dict[str, int]
    time_s: float


def plans(p: ConvProblem, device: Any) -> Iterator[Plan]:
    """Every tile that has the problem's window, or takes any."""
    ci, co = p.ci // p.g, p.co // p.g
    row = {
        "images": p.n, "groups": p.g, "ci": ci, "h": p.h, "wd": p.w, "co": co, "oh": p.oh, "ow": p.ow, "kh": p.kh,
        "kw": p.kw, "sh": p.sh, "sw": p.sw, "dh": p.dh, "dw": p.dw, "pt": p.pt, "pl": p.pl,
    }  # fmt: skip
    moved = 4 * p.n * (p.ci * p.h * p.w + p.co * p.oh * p.ow)
    for tile in tuning.DIRECT_TILES:
        if not tile.kh or (p.kh, p.sh, p.dh) == (tile.kh, tile.stride, 1):
            full, alone = tile.efficiency
            count, _, _ = blocks(tile, SimpleNamespace(**row))
            work_s = THREADS * tile.rows * tile.cols * ci * p.kh * p.kw / tuning.PEAK_MACS["f32"]
            each = over(count, device.multiprocessors)
            computed = tuning.ROW_S + max(each * work_s / full, work_s / alone)
            yield Plan(tile, row, max(computed, tuning.transfer_s(moved)))


def best(p: ConvProblem, device: Any) -> Plan:
    return min(plans(p, device), key=lambda plan: plan.time_s)


@lowers("Conv", on="cuda")
def lower(r: Request) -> Iterable[Choice]:
    p = convolution.problem(r)
    if p is None or p.ci // p.g > tuning.DIRECT_CHANNELS:
        return
    plan = best(p, r.target)
    kernel = direct(plan.tile, epilogue.function(r.op.activation), r.target.name)
    if not takes(kernel, **plan.row):
        return

    def emit(e: Emitter) -> None:
        w, bias = convolution.weights(r)
        cols = plan.tile.cols
        e.row(
            kernel, x=e.input(0), w=e.weights(f"direct {cols}", lambda: pack(w, p.g, cols)), y=e.output(),
            b=0 if bias is None else e.weights("bias", lambda: bias),
            r=e.input(3) if convolution.has_residual(r) else 0, **plan.row, **epilogue.values(r.op.activation),
        )  # fmt: skip

    reason = f"{plan.tile.cols} channels of {plan.tile.rows} pixels a thread"
    yield Choice("direct", conv.layouts(r), "plain", plan.time_s, reason, emit)
