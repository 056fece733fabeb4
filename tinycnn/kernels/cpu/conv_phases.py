"""Convolution of stride 2 from few channels, such as the first of a network, by Winograd's algorithm over its phases.

    z[c + ci * (px + 2 * py)][i, j] = x[c][2 * i + py, 2 * j + px]

A k x k kernel of stride 2 on x is one of (k + 1) // 2 and stride 1 on z, which has four times the channels: where those
fit a vector, they cost no more there than the channels of x alone. z is formed once, in memory of its own.

Source: the polyphase decomposition of multirate filters; Winograd convolution as in `conv_winograd`.
"""

import functools
from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np

from tinycnn.kernels import convolution
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cpu import conv_winograd, cost
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Request, blocks, lowers

FIELDS = fields("x:addr z:addr images ci h w cblocks zh zw")
MOST_CHANNELS = 4  # whose phases fit a vector of AVX-512


@functools.cache
def kernel(isa: str) -> Kernel:
    """Phases of a plain x [images, ci, h, w], into the blocked layout."""
    lanes = ISAS[isa].lanes

    def build():
        from tinycnn.kernels.cpu.simd import load_f32, store_f32

        vec = 4 * lanes

        def conv_phases(x, z, images, ci, h, w, cblocks, zh, zw, thread, threads):
            rows = images * cblocks * zh
            for row in range(rows * thread // threads, rows * (thread + 1) // threads):
                plane, i = row // zh, row % zh
                n, block = plane // cblocks, plane % cblocks
                for lane in range(lanes):
                    phase, c = (block * lanes + lane) // ci, (block * lanes + lane) % ci
                    iy, px = 2 * i + phase // 2, phase % 2
                    to = z + row * zw * vec + 4 * lane
                    count = (w + 1 - px) // 2 if phase < 4 and iy < h else 0
                    source = x + (((n * ci + c) * h + iy) * w + px) * 4
                    for j in range(count):
                        store_f32(to + j * vec, load_f32(source + 8 * j))
                    for j in range(count, zw):
                        store_f32(to + j * vec, 0.0)

        return conv_phases

    return Kernel(f"conv_phases_f32_nchw{lanes}c__{isa}", FIELDS, build, functools.partial(ranges, lanes), isa)


def ranges(lanes: int, a: SimpleNamespace) -> Iterable[Range]:
    require_positive(a, "ci h w cblocks zh")
    require((a.w + 1) // 2 <= a.zw, "rows of phases are shorter than those of the input")
    yield Range("x", 0, a.images * a.ci * a.h * a.w * 4)
    yield Range("z", 0, a.images * a.cblocks * a.zh * a.zw * lanes * 4, writes=True)


def kernels(isa: str) -> Iterable[Kernel]:
    return [kernel(isa)]


def phases(p: ConvProblem) -> ConvProblem:
    """The same convolution on z. A zero row before the kernel makes an odd padding even."""
    kh, kw = (p.kh + p.pt % 2 + 1) // 2, (p.kw + p.pl % 2 + 1) // 2
    pt, pl = (p.pt + 1) // 2, (p.pl + 1) // 2
    return ConvProblem(p.n, 4 * p.ci, (p.h + 1) // 2, (p.w + 1) // 2, p.co, p.oh, p.ow, kh, kw, pt=pt, pl=pl)


def phase_weights(w: np.ndarray, p: ConvProblem) -> np.ndarray:
    """[co, ci, kh, kw] -> [co, 4 * ci, r, r]."""
    z, top, left = phases(p), p.pt % 2, p.pl % 2
    padded = np.zeros((p.co, p.ci, 2 * z.kh, 2 * z.kw), np.float32)
    padded[:, :, top : top + p.kh, left : left + p.kw] = w
    split = padded.reshape(p.co, p.ci, z.kh, 2, z.kw, 2)
    return np.ascontiguousarray(split.transpose(0, 3, 5, 1, 2, 4)).reshape(p.co, 4 * p.ci, z.kh, z.kw)


def emit(r: Request, p: ConvProblem, plan: conv_winograd.Plan, e: Emitter) -> None:
    z, (w, _) = plan.p, convolution.weights(r)
    cblocks = blocks(z.ci, plan.lanes)
    place = e.scratch(4 * plan.lanes * z.n * cblocks * z.h * z.w)
    e.row(kernel(plan.isa), x=e.input(0), z=place, images=p.n, ci=p.ci, h=p.h, w=p.w, cblocks=cblocks, zh=z.h, zw=z.w)
    conv_winograd.emit_tiles(r, plan, place, f" phases {p.pt % 2} {p.pl % 2}", lambda: phase_weights(w, p), e)


@lowers("Conv")
def strided(r: Request) -> Iterable[Choice]:
    """Of few channels, kernels of stride 2 whose phases are square."""
    p, lanes = convolution.problem(r), r.target.lanes
    if p is None or (p.sh, p.sw, p.dh, p.dw, p.g) != (2, 2, 1, 1, 1) or p.ci > MOST_CHANNELS:
        return
    z = phases(p)
    formed_s = cost.transfer_s(4 * lanes * z.n * blocks(z.ci, lanes) * z.h * z.w * 2)
    yield from conv_winograd.choices(r, p, z, "plain", functools.partial(emit, r, p), "s2", formed_s)
