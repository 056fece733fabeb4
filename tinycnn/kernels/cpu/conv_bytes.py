"""Convolution of bytes: of integers that floats hold, where the processor multiplies bytes and adds up 32-bit integers.

    y[rows pixels][cols * 16 channels] += (x - low)[pixel + tap][4 channels] (outer) w[4 channels, tap][cols * 16]

The input rows that a chunk of output rows needs are first copied into a band of this thread's own, with what pads them,
as unsigned bytes above the least integer `low`. What that adds to the sums, low * sum(w), is in the value they begin
with, so that they are exact in whatever order. In the band, columns that are a stride apart are neighbours: each of
`phases` begins at another column. So the pixels of a tile always lie `pixel` bytes apart, the channels of one unit: a
block of 16, or four of a plain input.
"""

import functools
from collections.abc import Iterable
from types import SimpleNamespace

from tinycnn.kernels import convolution
from tinycnn.kernels.cpu import conv, tuning
from tinycnn.kernels.cpu.bytes_plan import Plan
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, blocks, can_block, lowers

LANES = 16
VECTOR = 4 * LANES
PIXELS = {"blocked": 16, "plain": 4}  # bytes of a pixel in the band, by the layout of the input
FIELDS = fields(
    "x:addr w:addr taps:table start:addr factor:addr y:addr scratch:addr lo:f32 hi:f32 scale:f32 low:signed "
    "images ci h width in_pixels kblocks kgroups oh ow out_pixels chunks chunk_rows splits row_tiles "
    "sh sw pt:signed pl:signed row_step band_sh band_kh phases phase_pixels taps_n tail scratch_bytes"
)


@functools.cache
def kernel(isa: str, rows: int, cols: int, pixel: int) -> Kernel:
    """pixel: bytes of one in the band; see PIXELS."""
    words, nr_bytes = pixel // 4, cols * VECTOR
    blocked = pixel == PIXELS["blocked"]

    def build():
        from tinycnn.kernels.cpu.simd import inline, jit, load_f32, load_i64, prefetch_l2, store_f32
        from tinycnn.kernels.cpu.tile import tiles
        from tinycnn.kernels.cpu.tile_bytes import store_byte_splat, store_bytes, store_words, sums

        tile, stored = sums(rows, cols, pixel), tiles(rows, cols, LANES)
        begin, update, floats = tile.begin, tile.update, tile.floats
        requantize, store_valid = stored.requantize, stored.store_valid

        @inline
        def clear(to, pixels, low):
            """Zeros. Whatever they overwrite behind the last is written later."""
            for i in range(0, pixels * pixel, 64):
                store_byte_splat(to + i, -low)

        @inline
        def line_words(x, to, channel, ci, plane, count, low):
            """Four channels of so many pixels; there are none behind the last but with weights of zero."""
            c0, c1 = x + channel * plane, x + min(channel + 1, ci - 1) * plane
            c2, c3 = x + min(channel + 2, ci - 1) * plane, x + min(channel + 3, ci - 1) * plane
            for i in range(0, 4 * count, VECTOR):
                store_words(to + i, c0 + i, c1 + i, c2 + i, c3 + i, low)

        @jit
        def fill(
            x, band, line, units, ci, iy, band_rows, unit_bytes, row_step, h, width, in_pixels, phases, phase_pixels,
            sw, pl, low,
        ):  # fmt: skip
            """Input rows iy, iy + row_step, ... of all units. line: memory for the words of one row."""
            for unit in range(units):
                for r in range(band_rows):
                    to = band + unit * unit_bytes + r * phases * phase_pixels * pixel
                    y = iy + r * row_step
                    if y < 0 or y >= h:
                        clear(to, phases * phase_pixels, low)
                        continue
                    inside = max(0, min(width, in_pixels - y * width))
                    if blocked:
                        source = x + (unit * in_pixels + y * width) * VECTOR
                    else:
                        source = x + y * width * 4
                        if sw > 1:
                            line_words(source, line, 4 * unit, ci, in_pixels * 4, inside, low)
                    for phase in range(phases):
                        first = min(phase_pixels, max(0, (pl - phase + sw - 1) // sw))
                        last = min(phase_pixels, max(first, (inside + pl - phase + sw - 1) // sw))
                        ix = first * sw + phase - pl
                        clear(to, first, low)
                        if blocked:
                            at = source + ix * VECTOR
                            for i in range(first, last):
                                store_bytes(to + i * pixel, at, low)
                                at += sw * VECTOR
                        elif sw > 1:
                            for i in range(first, last):
                                store_f32(to + i * pixel, load_f32(line + ix * pixel))
                                ix += sw
                        elif first < last:
                            at = source + ix * 4
                            line_words(at, to + first * pixel, 4 * unit, ci, in_pixels * 4, last - first, low)
                        clear(to + last * pixel, phase_pixels - last, low)
                        to += phase_pixels * pixel

        @inline
        def accumulate(acc, base, b, units, unit_bytes, taps, taps_n, tail, soon, ahead):
            for unit in range(units):
                count = tail if unit == units - 1 else words
                for tap in range(taps_n):
                    a = base + unit * unit_bytes + load_i64(taps + tap * 8)
                    for c in range(count):
                        acc = update(acc, a + c * 4, b)
                        b += nr_bytes
                        prefetch_l2(soon)
                        soon += ahead
            return acc

        def conv_bytes(
            x, w, taps, start, factor, y, scratch, lo, hi, scale, low,
            images, ci, h, width, in_pixels, kblocks, kgroups, oh, ow, out_pixels, chunks, chunk_rows, splits,
            row_tiles, sh, sw, pt, pl, row_step, band_sh, band_kh, phases, phase_pixels, taps_n, tail, scratch_bytes,
            thread, threads,
        ):  # fmt: skip
            channels = LANES if blocked else 4
            units = (ci + channels - 1) // channels
            line_bytes = phases * phase_pixels * pixel
            unit_bytes = ((chunk_rows - 1) * band_sh + band_kh) * line_bytes
            steps = ((units - 1) * words + tail) * taps_n
            band, column = scratch + thread * scratch_bytes, out_pixels * VECTOR
            image_bytes = units * in_pixels * VECTOR if blocked else ci * in_pixels * 4
            items = images * chunks * splits
            for item in range(items * thread // threads, items * (thread + 1) // threads):
                part, split = item // splits, item % splits
                image, first = part // chunks, part % chunks * chunk_rows
                last = min(oh, first + chunk_rows)
                fill(
                    x + image * image_bytes, band, band + units * unit_bytes + 64, units, ci, first * sh - pt,
                    (last - first - 1) * band_sh + band_kh, unit_bytes, row_step, h, width, in_pixels, phases,
                    phase_pixels, sw, pl, low,
                )  # fmt: skip
                for kg in range(kgroups * split // splits, kgroups * (split + 1) // splits):
                    b = w + kg * steps * nr_bytes
                    soon = b + steps * nr_bytes
                    ahead = max(1, nr_bytes // ((last - first) * row_tiles))
                    out = y + (image * kblocks + kg * cols) * column
                    valid_cols = min(cols, kblocks - kg * cols)
                    for oy in range(first, last):
                        for ox in range(0, row_tiles * rows, rows):
                            place = oy * ow + ox
                            valid = min(rows, ow - ox, out_pixels - place)
                            if valid <= 0:
                                continue
                            at = band + (oy - first) * band_sh * line_bytes + ox * pixel
                            acc = begin(start + kg * nr_bytes)
                            acc = accumulate(acc, at, b, units, unit_bytes, taps, taps_n, tail, soon, ahead)
                            soon += ahead * steps
                            result = requantize(floats(acc), factor + kg * nr_bytes, lo, hi, scale)
                            store_valid(result, out + place * VECTOR, VECTOR, column, valid, valid_cols)

        return conv_bytes

    name = f"conv_bytes_pixel{pixel}_f32_nchw{LANES}c_{rows}x{cols}__{isa}"
    features = ",".join(f"+{flag}" for flag in ISAS[isa].dot)
    return Kernel(name, FIELDS, build, functools.partial(ranges, rows, cols, pixel), isa, features=features)


def ranges(rows: int, cols: int, pixel: int, a: SimpleNamespace) -> Iterable[Range]:
    words, nr_bytes, blocked = pixel // 4, cols * VECTOR, pixel == PIXELS["blocked"]
    require_positive(a, "images ci kgroups chunks chunk_rows splits row_tiles sw phases phase_pixels taps_n")
    require(1 <= a.tail <= words, "the last unit has more words than a unit can")
    require((a.chunks - 1) * a.chunk_rows < a.oh, "a chunk has no rows")
    require(a.splits <= a.kgroups, "a split has no channels")
    most = max(a.h * a.width, a.oh * a.ow, a.images * a.chunks * a.splits)
    require(most < 1 << 50, "pixels or chunks reach beyond all addresses")
    units = blocks(a.ci, LANES if blocked else 4)
    line_bytes = a.phases * a.phase_pixels * pixel
    unit_bytes = ((a.chunk_rows - 1) * a.band_sh + a.band_kh) * line_bytes
    taps = a.taps[: a.taps_n].tolist()
    require(len(taps) == a.taps_n and min(taps) >= 0, "the taps are none")
    reach = max(taps) + (a.chunk_rows - 1) * a.band_sh * line_bytes + a.row_tiles * rows * pixel
    require(reach <= unit_bytes, "a tap leaves the band")
    line = 0 if blocked else 4 * a.width + VECTOR
    require(units * unit_bytes + 64 + line <= a.scratch_bytes, "the scratch is too small")
    steps = ((units - 1) * words + a.tail) * a.taps_n
    x_bytes = a.images * a.in_pixels * (units * VECTOR if blocked else 4 * a.ci)
    yield Range("x", 0, x_bytes + VECTOR)
    yield Range("w", 0, a.kgroups * steps * nr_bytes)
    yield Range("start", 0, a.kgroups * nr_bytes)
    yield Range("factor", 0, a.kgroups * nr_bytes)
    yield Range("scratch", 0, a.scratch_bytes, writes=True, per_thread=True)
    yield Range("y", 0, a.images * a.kblocks * a.out_pixels * VECTOR, writes=True)


def kernels(isa: str) -> Iterable[Kernel]:
    if not ISAS[isa].multiplies_bytes:
        return []
    return [kernel(isa, *tile, pixel) for tile in tuning.TILES[isa] for pixel in PIXELS.values()]


def emit(r: Request, plan: Plan, e: Emitter) -> None:
    w, bias = convolution.weights(r)
    low, nr, scratch = r.op.low, plan.nr, e.apart(plan.scratch_bytes)
    e.row(
        kernel(r.target.name, plan.rows, plan.cols, plan.pixel),
        x=e.input(0),
        w=e.weights(f"bytes {plan.pixel} {nr}", lambda: plan.pack(w)),
        taps=e.table(plan.taps()),
        start=e.weights(f"start {nr} {low}", lambda: plan.start(w, bias, low)),
        y=e.output(),
        scratch=scratch,
        scratch_bytes=scratch.stride,
        low=low,
        **conv.requantization(e, r, plan.kgroups * nr),
        **plan.geometry(),
    )


@lowers("IntegerConv")
def by_bytes(r: Request) -> Iterable[Choice]:
    """Every tile of the tuning table, reading the input blocked, and plain where it has few channels."""
    p = convolution.problem(r)
    if p is None or not can_block(r.inputs[0]) or p.g > 1 or not r.target.multiplies_bytes or r.values[3] is None:
        return
    sources: list[Layout] = ["blocked"] if p.ci > 2 * LANES else ["blocked", "plain"]
    for source in sources:
        for rows, cols in tuning.TILES[r.target.name]:
            plan = Plan(p, rows, cols, PIXELS[source], r.threads)
            reason = f"{rows}x{cols} tile, {p.macs / plan.macs:.0%} of its multiply-adds useful, input {source}"
            inputs = conv.input_layouts(r, source)
            run = functools.partial(emit, r, plan)
            yield Choice("bytes", inputs, "blocked", plan.time_s, reason, run, macs=plan.macs, variant=f"{rows}x{cols}")
