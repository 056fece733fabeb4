"""Convolution from the plain layout to the plain one, for few output channels: neighbouring pixels fill the vectors.

    y[rows channels][cols output rows][lanes pixels] += w[tap][rows] (outer) x[c, row + ky][lanes pixels from ox + kx]

The register tile is that of the other convolutions with its sides changed over: weights are broadcast, pixels loaded.
The last tile of an output row begins so that it ends with the row, and computes some pixels again. A padded input is
copied, a strip of rows at a time, into a band of this thread's own.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from tinycnn.kernels import convolution
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cpu import conv, cost, reorder, tuning
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Request, can_block, lowers

FIELDS = fields(
    "x:addr w:addr bias:addr res:addr y:addr act:code act_args:addr band:addr lo:f32 hi:f32 "
    "images strips strip kgroups co oh ow ci h width kh kw dh dw pt:signed left span right line plane band_bytes"
)


@functools.cache
def kernel(isa: str, rows: int, cols: int) -> Kernel:
    """rows: output channels, cols: output rows of a tile; of `lanes` pixels each."""
    lanes = ISAS[isa].lanes

    def build():
        from tinycnn.kernels.cpu.band import filler
        from tinycnn.kernels.cpu.simd import call
        from tinycnn.kernels.cpu.tile import tiles

        tile, fill = tiles(rows, cols, lanes), filler(lanes)
        zeros, update_apart, finish = tile.zeros, tile.update_apart, tile.finish

        def conv_plain(
            x, w, bias, res, y, act, act_args, band, lo, hi,
            images, strips, strip, kgroups, co, oh, ow, ci, h, width, kh, kw, dh, dw, pt, left, span, right,
            line, plane, band_bytes, thread, threads,
        ):  # fmt: skip
            ones, pixels = bias + kgroups * rows * 4, oh * ow * 4
            items = images * strips
            for item in range(items * thread // threads, items * (thread + 1) // threads):
                n, first = item // strips, item % strips * strip
                stop = min(oh, first + strip)
                source = x + n * ci * h * width * 4
                if band != 0:
                    mine = band + thread * band_bytes
                    fill(
                        source, mine, plane, first, stop - first, ci, 1, (kh - 1) * dh + 1, left, span, right, h,
                        4 * width, 4 * h * width, 1, 4, 1, pt, 4,
                    )  # fmt: skip
                    source = mine - first * line
                for kg in range(kgroups):
                    valid = min(rows, co - kg * rows)
                    for oy in range(first, stop, cols):
                        for start in range(0, ow, lanes):
                            ox = min(start, ow - lanes)
                            at, b = source + oy * line + ox * 4, w + kg * ci * kh * kw * rows * 4
                            acc = update_apart(zeros(), bias + kg * rows * 4, 4, ones, 0)
                            for c in range(ci):
                                for ky in range(kh):
                                    for kx in range(kw):
                                        pixel = at + c * plane + ky * dh * line + kx * dw * 4
                                        acc = update_apart(acc, b, 4, pixel, line)
                                        b += rows * 4
                            place = ((n * co + kg * rows) * oh + oy) * ow * 4 + ox * 4
                            r = res + place if res != 0 else 0
                            finish(acc, 0, r, y + place, pixels, ow * 4, lo, hi, valid, cols)
                    if act != 0:
                        for k in range(valid):
                            place = ((n * co + kg * rows + k) * oh + first) * ow
                            call(act, act_args, y + place * 4, (stop - first) * ow)

        return conv_plain

    name = f"conv_plain_f32_nchw_{rows}x{cols}__{isa}"
    return Kernel(name, FIELDS, build, functools.partial(ranges, rows, cols, lanes), isa)


def ranges(rows: int, cols: int, lanes: int, a: SimpleNamespace) -> Iterable[Range]:
    require_positive(a, "images strips strip kgroups co oh ow ci h width kh kw")
    require(a.strip % cols == 0 and a.oh % cols == 0, "the last tile is cut short")
    require((a.strips - 1) * a.strip < a.oh, "a strip has no rows")
    require(a.strips * a.strip >= a.oh and a.ow >= lanes, "rows are left out, or narrower than a vector")
    require((a.kgroups - 1) * rows < a.co, "a group has no channels")
    require(not a.res or a.co % rows == 0, "a residual of channels that are none")
    taps = (a.ci - 1) * a.plane + (a.kh - 1) * a.dh * a.line + ((a.kw - 1) * a.dw + a.ow) * 4
    image = a.ci * a.h * a.width * 4
    if a.band:
        require(a.left + a.span + a.right == a.line, "the rows of the band are not as long as their parts")
        filled = (a.ci - 1) * a.plane + (a.strip + (a.kh - 1) * a.dh) * a.line + 4 * lanes
        require(max(filled, (a.strip - 1) * a.line + taps) <= a.band_bytes, "the band is too small")
        yield Range("band", 0, a.band_bytes, writes=True, per_thread=True)
        copied = -(-a.span // (4 * lanes)) * 4 * lanes
        yield Range("x", 0, a.images * image - 4 * a.width + copied)
    else:
        yield Range("x", 0, (a.images - 1) * image + (a.oh - 1) * a.line + taps)
    yield Range("w", 0, a.kgroups * a.ci * a.kh * a.kw * rows * 4)
    yield Range("bias", 0, (a.kgroups * rows + lanes) * 4)
    y_bytes = a.images * a.co * a.oh * a.ow * 4
    yield Range("y", 0, y_bytes, writes=True)
    if a.res:
        yield Range("res", 0, y_bytes)
    if a.act_args:
        yield Range("act_args", 0, 16)


def kernels(isa: str) -> Iterable[Kernel]:
    return [kernel(isa, *tile) for tile in tuning.PLAIN_TILES[isa]]


@dataclass(frozen=True)
class Plan:
    """How one tile shape covers one problem."""

    p: ConvProblem
    isa: str
    rows: int
    cols: int
    threads: int

    @property
    def kgroups(self) -> int:
        return -(-self.p.co // self.rows)

    @property
    def row(self) -> tuple[int, int, int]:
        """Bytes of an input row: zeros before it, pixels, zeros behind them, where it has padding."""
        p = self.p
        width = p.ow + (p.kw - 1) * p.dw
        left = min(p.pl, width)
        span = min(p.w, width - left)
        return (4 * left, 4 * span, 4 * (width - left - span)) if p.padded else (0, 4 * p.w, 0)

    @property
    def line(self) -> int:
        return sum(self.row)

    @property
    def strip(self) -> int:
        """Output rows whose input stays in L2, as many for each thread."""
        p = self.p
        rows = cost.caches().l2_bytes // 2 // (p.ci * self.line) - (p.kh - 1) * p.dh
        return self.cols * cost.even_size(p.oh // self.cols, max(1, rows // self.cols), p.n, self.threads)

    @property
    def macs(self) -> int:
        p, lanes = self.p, ISAS[self.isa].lanes
        return p.n * self.kgroups * self.rows * p.oh * -(-p.ow // lanes) * lanes * p.ci * p.kh * p.kw

    @property
    def time_s(self) -> float:
        """With the reorder that whatever reads the result is likely to need."""
        p, accumulators = self.p, self.rows * self.cols
        full = cost.core(self.isa).peak_macs * min(1.0, accumulators / tuning.PLAIN_ACCUMULATORS)
        band = cost.transfer_s(8 * p.n * p.ci * p.h * p.w) if p.padded else 0.0
        loads = 1 + self.cols / accumulators
        busiest = cost.busiest(p.oh, self.strip, p.n, 1, self.threads)
        return busiest * (self.macs * loads / full + band) + reorder.cost_s((p.n, p.co, p.oh, p.ow), self.isa)

    def pack(self, w: np.ndarray) -> np.ndarray:
        """Weights [co, ci, kh, kw] as [kgroups][ci][kh][kw][rows], zeros behind the last channel."""
        packed = np.zeros((self.kgroups * self.rows, *w.shape[1:]), np.float32)
        packed[: len(w)] = w
        return np.ascontiguousarray(packed.reshape(self.kgroups, self.rows, *w.shape[1:]).transpose(0, 2, 3, 4, 1))

    def pack_bias(self, bias: np.ndarray | None) -> np.ndarray:
        """[kgroups * rows], zeros behind the last channel, then a vector of ones."""
        padded = np.zeros(self.kgroups * self.rows, np.float32)
        padded[: self.p.co] = 0 if bias is None else bias
        return np.concatenate([padded, np.ones(ISAS[self.isa].lanes, np.float32)])


def emit(r: Request, plan: Plan, e: Emitter) -> None:
    p, strip, (left, span, right) = plan.p, plan.strip, plan.row
    w, bias = convolution.weights(r)
    band_rows = strip + (p.kh - 1) * p.dh
    band = e.apart(p.ci * band_rows * plan.line + 4 * ISAS[plan.isa].lanes) if p.padded else None
    e.row(
        kernel(plan.isa, plan.rows, plan.cols),
        x=e.input(0),
        w=e.weights(f"plain {plan.rows}", lambda: plan.pack(w)),
        bias=e.weights(f"plain bias {plan.rows} {plan.isa}", lambda: plan.pack_bias(bias)),
        res=e.input(3) if convolution.has_residual(r) else 0,
        y=e.output(),
        band=band or 0,
        images=p.n,
        strips=-(-p.oh // strip),
        strip=strip,
        kgroups=plan.kgroups,
        left=left,
        span=span,
        right=right,
        line=plan.line,
        plane=band_rows * plan.line if p.padded else 4 * p.h * p.w,
        band_bytes=band.stride if band else 0,
        **conv.sizes(p, "co oh ow ci h width kh kw dh dw pt"),
        **conv.epilogue(e, r.op.activation, plan.isa),
    )


@lowers("Conv")
def plain(r: Request) -> Iterable[Choice]:
    """Stride 1, rows of one vector or more, and so few output channels that other convolutions waste lanes."""
    p = convolution.problem(r)
    lanes = r.target.lanes
    if p is None or not can_block(r.inputs[0]) or (p.sh, p.sw, p.g) != (1, 1, 1) or p.co >= lanes or p.ow < lanes:
        return
    residual = convolution.has_residual(r)
    inputs = conv.input_layouts(r, "plain", "plain")
    for rows, cols in tuning.PLAIN_TILES[r.target.name]:
        if p.oh % cols or (residual and p.co % rows):
            continue
        plan = Plan(p, r.target.name, rows, cols, r.threads)
        reason = f"{lanes} pixels of {rows} channels and {cols} rows, {p.macs / plan.macs:.0%} of them useful"
        run = functools.partial(emit, r, plan)
        yield Choice(
            "plain", inputs, "plain", plan.time_s, reason, run, macs=plan.macs, variant=f"{rows}x{cols}",
        )  # fmt: skip
