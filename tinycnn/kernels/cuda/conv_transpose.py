"""Transposed convolution, gathered: each output adds up the taps that reach it, so nothing is written twice."""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.convolution import transposed_problem as problem
from tinycnn.kernels.cuda import epilogue, tuning
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, lowers

THREADS, CHANNELS = 128, 4  # threads of a block; output channels of a thread
ROW = (
    "x:addr w:addr b:addr y:addr images groups ci h wd co oh ow kh kw sh sw dh dw pt:signed pl:signed "
    + epilogue.FIELDS
)


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "images groups ci h wd co oh ow kh kw sh sw dh dw")
    planes = v.images * v.groups
    require(planes * v.co * v.oh * v.ow < MOST_ELEMENTS and planes * v.ci * v.h * v.wd < MOST_ELEMENTS, "size")
    # What is divided is never negative, and fits 32 bits.
    require(max(v.oh + abs(v.pt) + v.kh * v.dh, v.ow + abs(v.pl) + v.kw * v.dw, v.sh, v.sw) < MOST_ELEMENTS, "window")
    yield Range("x", 0, 4 * planes * v.ci * v.h * v.wd)
    yield Range("w", 0, 16 * v.groups * v.kh * v.kw * v.ci * over(v.co, CHANNELS))
    if v.b:
        yield Range("b", 0, 4 * v.groups * v.co)
    yield Range("y", 0, 4 * planes * v.co * v.oh * v.ow, writes=True)


@functools.cache
def transpose(function: str, target: str) -> CudaKernel:
    """y f32 [images, groups, co, oh, ow] of x f32 [images, groups, ci, h, wd]; w as `pack` makes it; b 0 for none."""

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import formulas
        from tinycnn.kernels.cuda.simt import cuda, load, load4, modulo, over, store

        f, f32, i64 = formulas()[function], np.float32, np.int64

        def kernel(
            x, w, b, y, images, groups, ci, h, wd, co, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, alpha, beta
        ):  # fmt: skip
            at = i64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x
            area, plane = oh * ow, 4 * h * wd
            if at < images * area:
                image, q = over(at, area), modulo(at, area)
                oy, ox = over(q, ow), modulo(q, ow)
                group, first = i64(cuda.blockIdx.z), i64(cuda.blockIdx.y) * CHANNELS
                quads = (co + CHANNELS - 1) // CHANNELS
                source = x + (image * groups + group) * ci * plane
                weights = w + 16 * (group * kh * kw * ci * quads + i64(cuda.blockIdx.y))
                sums = cuda.local.array(CHANNELS, np.float32)
                for i in range(CHANNELS):
                    sums[i] = f32(0)
                r = i64(0)
                while r < kh:
                    top = oy + pt - r * dh
                    if top >= 0 and modulo(top, sh) == 0 and over(top, sh) < h:
                        s = i64(0)
                        while s < kw:
                            left = ox + pl - s * dw
                            if left >= 0 and modulo(left, sw) == 0 and over(left, sw) < wd:
                                p = source + 4 * (over(top, sh) * wd + over(left, sw))
                                u = weights + 16 * (r * kw + s) * ci * quads
                                c = i64(0)
                                while c < ci:
                                    v, taps = load(p), load4(u)
                                    for i in range(CHANNELS):
                                        sums[i] += v * taps[i]
                                    p += plane
                                    u += 16 * quads
                                    c += 1
                            s += 1
                    r += 1
                for i in range(CHANNELS):
                    if first + i < co:
                        channel = group * co + first + i
                        value = sums[i] + (load(b + 4 * channel) if b != 0 else f32(0))
                        store(y + 4 * ((image * groups * co + channel) * area + q), f(value, alpha, beta))

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.images * v.oh * v.ow, THREADS), over(v.co, CHANNELS), v.groups

    name = f"conv_transpose{epilogue.suffix(function)}_f32_nchw"
    return cuda_kernel(name, ROW, build, ranges, target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    return [transpose("clamp", target)]


def pack(w: np.ndarray, groups: int) -> np.ndarray:
    """Weights f32 [groups * ci, co, kh, kw] as f32 [groups, kh, kw, ci, co / 4, 4], zeros behind the last channel."""
    ci, co, kh, kw = w.shape
    quads = over(co, CHANNELS)
    packed = np.zeros((groups, kh, kw, ci // groups, quads * CHANNELS), np.float32)
    packed[..., :co] = w.reshape(groups, ci // groups, co, kh, kw).transpose(0, 3, 4, 1, 2)
    return packed


def emit(r: Request, p: ConvProblem, e: Emitter) -> None:
    w, bias = r.values[1], r.values[2] if len(r.values) > 2 else None
    assert w is not None
    shaped = w.reshape(p.ci, p.co // p.g, p.kh, p.kw)
    e.row(
        transpose(epilogue.function(r.op.activation), r.target.name), x=e.input(0), y=e.output(),
        w=e.weights("transposed", lambda: pack(shaped, p.g)),
        b=0 if bias is None else e.weights("bias", lambda: bias),
        images=p.n, groups=p.g, ci=p.ci // p.g, h=p.h, wd=p.w, co=p.co // p.g, oh=p.oh, ow=p.ow, kh=p.kh, kw=p.kw,
        sh=p.sh, sw=p.sw, dh=p.dh, dw=p.dw, pt=p.pt, pl=p.pl, **epilogue.values(r.op.activation),
    )  # fmt: skip


@lowers("ConvTranspose", on="cuda")
def transposed(r: Request) -> Iterable[Choice]:
    p = problem(r)
    if p is None or max(p.n * p.ci * p.h * p.w, p.n * p.co * p.oh * p.ow) >= MOST_ELEMENTS:
        return
    macs = p.n * p.co * p.oh * p.ow * (p.ci // p.g) * p.kh * p.kw / (p.sh * p.sw)
    time_s = tuning.ROW_S + macs / (0.1 * tuning.PEAK_MACS["f32"] * r.target.multiprocessors)
    layouts: list[Layout | None] = ["plain", None, None]
    reason = f"{CHANNELS} channels of a pixel a thread"
    yield Choice("gather", layouts[: len(r.inputs)], "plain", time_s, reason, functools.partial(emit, r, p))
