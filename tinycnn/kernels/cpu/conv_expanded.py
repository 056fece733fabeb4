"""A 1x1 convolution and the depthwise one that follows: a block of channels of some rows at a time.

    e[pixels][lanes] = x[pixels][ci] we[ci][lanes]      in scratch of this thread's own, which stays in its cache
    y[rows][lanes]   = e * w                            channel by channel

The rows of e that two strips of output rows need are computed for both.
"""

import functools
from collections.abc import Iterable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from tinycnn.kernels import convolution
from tinycnn.kernels.cpu import conv, conv_grouped, tuning
from tinycnn.kernels.cpu.expanded_plan import Plan
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.cpu.panels import panels
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request, blocks, can_block, lowers

FIELDS = fields(
    "x:addr we:addr be:addr e_act:code e_act_args:addr e_lo:f32 e_hi:f32 "
    "w:addr bias:addr act:code act_args:addr lo:f32 hi:f32 y:addr band:addr "
    "images strips strip ci cblocks kblocks h width oh ow kh kw sh sw dh dw pt:signed pl:signed band_bytes"
)


@functools.cache
def kernel(isa: str, tile_rows: int, rows: int, taps: int, stride: int) -> Kernel:
    """tile_rows: pixels of a register tile of the 1x1 convolution; the others are of `conv_grouped.kernel`."""
    lanes = ISAS[isa].lanes
    vector = 4 * lanes

    def build():
        from tinycnn.kernels.cpu.simd import call, inline, jit
        from tinycnn.kernels.cpu.sliding import output_row
        from tinycnn.kernels.cpu.tile import tiles

        tile = tiles(tile_rows, 1, lanes)
        zeros, update, finish = tile.zeros, tile.update, tile.finish
        compute_row = output_row(rows, taps, stride, 1, lanes, False)

        @inline
        def accumulate(acc, a, b, ci, plane):
            for cb in range(0, ci, lanes):
                for c in range(min(lanes, ci - cb)):
                    acc = update(acc, a + c * 4, vector, b)
                    b += vector
                a += plane
            return acc

        @jit
        def expand(x, w, bias, to, first, last, pixels, ci, plane, lo, hi):
            for t in range(first, last, tile_rows):
                acc = accumulate(zeros(), x + t * vector, w, ci, plane)
                finish(acc, bias, 0, to + t * vector, vector, 0, lo, hi, min(tile_rows, pixels - t), 1)

        def conv_expanded(
            x, we, be, e_act, e_act_args, e_lo, e_hi, w, bias, act, act_args, lo, hi, y, band,
            images, strips, strip, ci, cblocks, kblocks, h, width, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, band_bytes,
            thread, threads,
        ):  # fmt: skip
            mine, zero = band + thread * band_bytes, w + kblocks * kh * kw * vector
            line, plane = width * vector, h * width * vector
            items = images * strips
            for item in range(items * thread // threads, items * (thread + 1) // threads):
                n, first = item // strips, item % strips * strip
                last = min(oh, first + strip)
                begin = min(h, max(0, first * sh - pt))
                end = max(begin, min(h, (last - 1) * sh - pt + (kh - 1) * dh + 1))
                pixels = (end - begin) * width
                for kb in range(kblocks):
                    made = 0
                    for oy in range(first, last):
                        needed = (min(end, oy * sh - pt + (kh - 1) * dh + 1) - begin) * width
                        if made < needed:
                            expand(
                                x + n * cblocks * plane + begin * line, we + kb * ci * vector, be + kb * vector, mine,
                                made, needed, pixels, ci, plane, e_lo, e_hi,
                            )  # fmt: skip
                            more = min(pixels, made + (needed - made + tile_rows - 1) // tile_rows * tile_rows)
                            if e_act != 0:
                                call(e_act, e_act_args, mine + made * vector, (more - made) * lanes)
                            made = more
                        to = y + (((n * kblocks + kb) * oh + oy) * ow) * vector
                        compute_row(
                            mine, w + kb * kh * kw * vector, bias + kb * vector, 0, 0, to, lo, hi, 1.0,
                            oy * sh - pt - begin, end - begin, width, ow, kh, kw, sw, dh, dw, pl, zero,
                        )  # fmt: skip
                        if act != 0:
                            call(act, act_args, to, ow * lanes)

        return conv_expanded

    name = f"conv_expanded{tile_rows}_{taps}tap_s{stride}_f32_nchw{lanes}c_{rows}x1__{isa}"
    return Kernel(name, FIELDS, build, functools.partial(ranges, tile_rows, taps, lanes), isa)


def ranges(tile_rows: int, taps: int, lanes: int, a: SimpleNamespace) -> Iterable[Range]:
    vector = 4 * lanes
    require_positive(a, "strips strip kblocks oh kh h")
    conv_grouped.require_window(taps, a)
    require(a.ci <= a.cblocks * lanes, "channels that do not exist")
    require((a.strips - 1) * a.strip < a.oh <= a.strips * a.strip, "strips are not all rows")
    rows = min(a.h, (a.strip - 1) * a.sh + (a.kh - 1) * a.dh + 1)
    require(rows * a.width * vector <= a.band_bytes, "the band is too small")
    yield Range("x", 0, (a.images * a.cblocks * a.h * a.width + tile_rows) * vector)
    yield Range("we", 0, a.kblocks * a.ci * vector)
    yield Range("be", 0, a.kblocks * vector)
    yield Range("w", 0, (a.kblocks * a.kh * a.kw + 1) * vector)
    yield Range("bias", 0, a.kblocks * vector)
    yield Range("y", 0, a.images * a.kblocks * a.oh * a.ow * vector, writes=True)
    yield Range("band", 0, a.band_bytes, writes=True, per_thread=True)
    for name in ("act_args", "e_act_args"):
        if getattr(a, name):
            yield Range(name, 0, 16)


def kernels(isa: str) -> Iterable[Kernel]:
    return [kernel(isa, tuning.EXPANSION_ROWS[isa], *window) for window in conv_grouped.windows(isa, 1)]


def emit(r: Request, plan: Plan, e: Emitter) -> None:
    p, lanes, isa = plan.p, plan.lanes, plan.isa
    we, w, be, b = (*r.values[1:], None, None)[:4]
    assert we is not None and w is not None
    size, kblocks = p.co, blocks(p.co, lanes)
    band = e.apart(plan.band_bytes)

    def shift(key: str, bias: np.ndarray | None) -> Ref:
        known = np.zeros(size, np.float32) if bias is None else bias
        return e.weights(f"{key} {lanes}", lambda: conv.padded_bias(known, kblocks * lanes))

    e.row(
        kernel(isa, plan.tile_rows, *plan.variant[:3]),
        x=e.input(0),
        we=e.weights(f"expansion {lanes}", lambda: panels(we.reshape(size, plan.ci), lanes)),
        be=shift("expansion bias", be),
        w=e.weights(f"grouped {lanes}", lambda: conv_grouped.pack(w.reshape(size, 1, p.kh, p.kw), lanes)),
        bias=shift("bias", b),
        y=e.output(),
        band=band,
        band_bytes=band.stride,
        images=p.n,
        strips=plan.strips,
        strip=plan.strip,
        ci=plan.ci,
        cblocks=blocks(plan.ci, lanes),
        kblocks=kblocks,
        **conv.sizes(p, "h width oh ow kh kw sh sw dh dw pt pl"),
        **conv.epilogue(e, r.op.second.activation, isa),
        **{f"e_{name}": value for name, value in conv.epilogue(e, r.op.first.activation, isa).items()},
    )


@lowers("ExpandedConv")
def expanded(r: Request) -> Iterable[Choice]:
    """By constant weights, in float32."""
    x, w = r.inputs[0], r.inputs[2]
    known = [v is not None for v, s in zip(r.values[1:], r.inputs[1:], strict=True) if s is not None]
    if x is None or not can_block(x) or not all(known):
        return
    between, isa = x.with_shape((x.dims[0], r.op.second.group, *x.dims[2:])), r.target.name
    second = replace(r, node=replace(r.node, op=r.op.second), inputs=[between, w], values=[None, r.values[2]])
    p = convolution.problem(second)
    if p is None:
        return
    for variant in conv_grouped.variants(p, isa):
        plan = Plan(p, x.dims[1], isa, r.threads, variant)
        reason = f"{plan.strip} of {p.oh} rows at a time, outputs in tiles of {variant[0]}"
        inputs: list[Layout | None] = ["blocked", *[None] * (len(r.inputs) - 1)]
        yield Choice(
            "expanded", inputs, "blocked", plan.time_s, reason, functools.partial(emit, r, plan),
            macs=plan.expansion_macs + plan.depthwise_macs, variant=f"{variant[0]}x1",
        )  # fmt: skip
