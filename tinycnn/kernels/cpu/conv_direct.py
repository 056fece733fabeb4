"""Direct convolution: a register tile of output pixels x output channels walks over channels and taps.

    y[rows pixels][cols * lanes channels] += x[pixel + tap][c] (outer) w[c, tap][cols * lanes]

No matrix is formed. The input is read where it lies, blocked or plain; where it is padded, or a 1x1 kernel skips
pixels, the rows that a chunk of tiles needs are first copied into a band of this thread's own, zeros around them.
Groups: a strip of output channels walks over the input channels that its groups read, with zero weights between; where
half a strip reads what the other does not, half vectors are enough for that.
Source: Georganas et al. 2018, arXiv:1808.05567, section II.
"""

import functools
from collections.abc import Iterable
from types import SimpleNamespace

from tinycnn.kernels import convolution
from tinycnn.kernels.cpu import conv, tuning
from tinycnn.kernels.cpu.direct_plan import Plan
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, can_block, lowers

FIELDS = fields(
    "x:addr w:addr table:table bias:addr res:addr y:addr act:code act_args:addr band:addr sums:addr lo:f32 hi:f32 "
    "items ksplits chunks chunk_tiles tiles row_tiles kgroups kblocks ow pixels "
    "image oy_stride outer_stride ky_n ky_stride kx_n kx_stride inner_n inner_stride "
    "band_bytes units band_sh band_kh band_left band_span band_right "
    "h row_bytes plane_bytes row_step pixel_step oy_step pt:signed pixel_bytes outer_chunk sums_bytes"
)

# Of a part of a strip in the table: see Plan.table.
PART_FIELDS = 5


@functools.cache
def kernel(isa: str, rows: int, cols: int, step: int, halved: bool = False) -> Kernel:
    """step: bytes from one pixel of a tile to the next. It is fixed so that rows of a tile are displacements of one
    address: as many pointers do not fit the registers. halved: whether each strip, of one column, has parts for its
    halves."""
    lanes = ISAS[isa].lanes
    nr, parts = cols * lanes, 3 if halved else 1

    def build():
        from tinycnn.kernels.cpu.band import filler
        from tinycnn.kernels.cpu.simd import call, inline, load_i64, prefetch, prefetch_l2, prefetch_write
        from tinycnn.kernels.cpu.tile import tiles
        from tinycnn.kernels.cpu.tuning import L2_ROWS

        tile, fill, half = tiles(rows, cols, lanes), filler(lanes), tiles(rows, cols, lanes // 2)
        half_zeros, update_half, beside = half.zeros, half.update, half.beside
        zeros, update, finish, store_tile, load_tile = tile.zeros, tile.update, tile.finish, tile.store, tile.load
        vector_bytes = 4 * lanes
        nr_bytes = 4 * nr
        part_bytes = 8 * PART_FIELDS
        looks_ahead = rows >= L2_ROWS  # tiles of few rows have no load to spare for the pixels of the next one

        @inline
        def accumulate(
            acc, base, b, outer_0, outer_1, outer_n, outer_stride, ky_n, ky_stride, kx_n, kx_stride, inner_n, head,
            tail, inner_stride, soon, ahead,
        ):  # fmt: skip
            for outer in range(outer_0, outer_1):
                begin = head if outer == 0 else 0
                end = tail if outer == outer_n - 1 else inner_n
                for ky in range(ky_n):
                    for kx in range(kx_n):
                        a = base + outer * outer_stride + ky * ky_stride + kx * kx_stride
                        for c in range(begin, end):
                            acc = update(acc, a + c * inner_stride, step, b)
                            b += nr_bytes
                            prefetch_l2(soon)
                            soon += ahead
                            if looks_ahead:
                                prefetch(a + (rows + c) * step)
            return acc

        @inline
        def accumulate_half(
            part, at, w, outer_stride, ky_n, ky_stride, kx_n, kx_stride, inner_n, inner_stride
        ):  # fmt: skip
            acc = half_zeros()
            base, outer_n, b = at + load_i64(part), load_i64(part + 8), w + load_i64(part + 32)
            for outer in range(outer_n):
                begin = load_i64(part + 16) if outer == 0 else 0
                end = load_i64(part + 24) if outer == outer_n - 1 else inner_n
                for ky in range(ky_n):
                    for kx in range(kx_n):
                        a = base + outer * outer_stride + ky * ky_stride + kx * kx_stride
                        for c in range(begin, end):
                            acc = update_half(acc, a + c * inner_stride, step, b)
                            b += nr_bytes // 2
            return acc

        def conv_direct(
            x, w, table, bias, res, y, act, act_args, band, sums, lo, hi,
            items, ksplits, chunks, chunk_tiles, tiles, row_tiles, kgroups, kblocks, ow, pixels,
            image, oy_stride, outer_stride, ky_n, ky_stride, kx_n, kx_stride, inner_n, inner_stride,
            band_bytes, units, band_sh, band_kh, band_left, band_span, band_right,
            h, row_bytes, plane_bytes, row_step, pixel_step, oy_step, pt, pixel_bytes,
            outer_chunk, sums_bytes, thread, threads,
        ):  # fmt: skip
            mine = band + thread * band_bytes
            column = pixels * vector_bytes
            for item in range(items * thread // threads, items * (thread + 1) // threads):
                chunk, split = item // ksplits, item % ksplits
                n, chunk = chunk // chunks, chunk % chunks
                first = chunk * chunk_tiles
                last = min(tiles, first + chunk_tiles)
                source = x + n * image
                oy_first = first // row_tiles
                if band != 0:
                    fill(
                        source, mine, outer_stride, oy_first, (last - 1) // row_tiles - oy_first + 1, units, band_sh,
                        band_kh, band_left, band_span, band_right, h, row_bytes, plane_bytes, row_step, pixel_step,
                        oy_step, pt, pixel_bytes,
                    )  # fmt: skip
                    source = mine - oy_first * oy_stride
                for kg in range(kgroups * split // ksplits, kgroups * (split + 1) // ksplits):
                    strip = table + kg * parts * part_bytes
                    offset, outer_n, head = load_i64(strip), load_i64(strip + 8), load_i64(strip + 16)
                    tail, b = load_i64(strip + 24), w + load_i64(strip + 32)
                    out = y + (n * kblocks + kg * cols) * column
                    residual = res + (n * kblocks + kg * cols) * column if res != 0 else 0
                    bias_k = bias + kg * nr_bytes if bias != 0 else 0
                    valid_cols = min(cols, kblocks - kg * cols)
                    for outer_0 in range(0, max(1, outer_n), outer_chunk):
                        outer_1 = min(outer_n, outer_0 + outer_chunk)
                        steps = (outer_1 - outer_0) * inner_n
                        if outer_0 == 0:
                            steps -= head
                        if outer_1 == outer_n and outer_n > 0:
                            steps += tail - inner_n
                        steps *= ky_n * kx_n
                        soon = b + steps * nr_bytes
                        ahead = max(1, nr_bytes // (last - first))
                        partial = sums + thread * sums_bytes
                        for t in range(first, last):
                            oy, ox = t // row_tiles, t % row_tiles * rows
                            at = source + oy * oy_stride + ox * step
                            place = (oy * ow + ox) * vector_bytes
                            if outer_1 == outer_n:
                                for i in range(rows * cols):
                                    far = place + i // rows * column + i % rows * vector_bytes
                                    if residual != 0:
                                        prefetch(residual + far)
                                    prefetch_write(out + far)
                            if outer_0 > 0:
                                acc = load_tile(partial, nr_bytes, vector_bytes)
                            elif halved:
                                lower = accumulate_half(
                                    strip + part_bytes, at, w, outer_stride, ky_n, ky_stride, kx_n, kx_stride, inner_n,
                                    inner_stride,
                                )  # fmt: skip
                                upper = accumulate_half(
                                    strip + 2 * part_bytes, at, w, outer_stride, ky_n, ky_stride, kx_n, kx_stride,
                                    inner_n, inner_stride,
                                )  # fmt: skip
                                acc = beside(lower, upper)
                            else:
                                acc = zeros()
                            acc = accumulate(
                                acc, at + offset, b, outer_0, outer_1, outer_n, outer_stride, ky_n, ky_stride, kx_n,
                                kx_stride, inner_n, head, tail, inner_stride, soon, ahead,
                            )  # fmt: skip
                            soon += ahead * steps
                            if outer_1 < outer_n:
                                store_tile(acc, partial, nr_bytes, vector_bytes)
                                partial += rows * nr_bytes
                                continue
                            partial += rows * nr_bytes
                            valid = min(rows, ow - ox)
                            to = out + place
                            r = residual + place if residual != 0 else 0
                            finish(acc, bias_k, r, to, vector_bytes, column, lo, hi, valid, valid_cols)
                            if act != 0:
                                for j in range(valid_cols):
                                    call(act, act_args, to + j * column, valid * lanes)
                        b += steps * nr_bytes

        return conv_direct

    name = f"conv_direct{'_halved' if halved else ''}_step{step}_f32_nchw{lanes}c_{rows}x{cols}__{isa}"
    return Kernel(name, FIELDS, build, functools.partial(ranges, rows, cols, lanes, step, parts), isa)


def ranges(rows: int, cols: int, lanes: int, step: int, parts: int, a: SimpleNamespace) -> Iterable[Range]:
    vector, nr_bytes = 4 * lanes, 4 * cols * lanes
    require_positive(a, "items ksplits chunks chunk_tiles tiles row_tiles kgroups ow outer_chunk")
    images, oh = a.items // (a.ksplits * a.chunks), (a.tiles - 1) // a.row_tiles + 1
    require(a.items == images * a.ksplits * a.chunks, "items are not all chunks of all images")
    require((a.chunks - 1) * a.chunk_tiles < a.tiles, "a chunk has no tiles")
    require(a.ksplits <= max(1, a.kgroups), "a split has no channels")
    require((a.kgroups - 1) * cols < a.kblocks, "a group has no channels")
    require((a.row_tiles - 1) * rows < a.ow and oh * a.ow <= a.pixels, "tiles lie outside of the output")
    table = a.table[: a.kgroups * parts * PART_FIELDS].reshape(a.kgroups * parts, PART_FIELDS).tolist()
    require(all(min(part) >= 0 for part in table), "the table is none")
    taps = (a.ky_n - 1) * a.ky_stride + (a.kx_n - 1) * a.kx_stride
    reach, w_stop = 0, 0
    for i, (offset, outer_n, head, tail, at) in enumerate(table):
        require(head <= (tail if outer_n <= 1 else a.inner_n), "a range of channels begins behind its first unit")
        inner = max(tail, a.inner_n if outer_n > 1 else 0)
        reach = max(reach, offset + (outer_n - 1) * a.outer_stride + taps + (inner - 1) * a.inner_stride + 4)
        steps = (outer_n - 1) * a.inner_n + tail - head if outer_n else 0
        w_stop = max(w_stop, at + steps * a.ky_n * a.kx_n * (nr_bytes // 2 if i % parts else nr_bytes))
    reach += (a.row_tiles * rows - 1) * step
    if a.band:
        band_oh = min(oh, (a.chunk_tiles + a.row_tiles - 2) // a.row_tiles + 1)
        line = a.band_left + a.band_span + a.band_right
        filled = (a.units - 1) * a.outer_stride + ((band_oh - 1) * a.band_sh + a.band_kh) * line + vector
        require(max(filled, (band_oh - 1) * a.oy_stride + reach) <= a.band_bytes, "the band is too small")
        yield Range("band", 0, a.band_bytes, writes=True, per_thread=True)
        vectors = -(-a.band_span // vector)
        row = vectors * vector if a.pixel_step == a.pixel_bytes else (vectors - 1) * a.pixel_step + vector
        reach = (a.units - 1) * a.plane_bytes + (a.h - 1) * a.row_bytes + row
    else:
        reach += (oh - 1) * a.oy_stride
    yield Range("x", 0, (images - 1) * a.image + reach)
    if any(outer_n > a.outer_chunk for _, outer_n, *_ in table[::parts]):
        require(a.chunk_tiles * rows * nr_bytes <= a.sums_bytes, "the sums do not fit")
        yield Range("sums", 0, a.sums_bytes, writes=True, per_thread=True)
    elif a.sums:
        yield Range("sums", 0, 0)
    y_bytes = images * a.kblocks * a.pixels * vector
    yield Range("w", 0, w_stop)
    yield Range("y", 0, y_bytes, writes=True)
    if a.bias:
        yield Range("bias", 0, a.kgroups * nr_bytes)
    if a.res:
        yield Range("res", 0, y_bytes + (a.row_tiles * rows - a.ow) * vector)
    if a.act_args:
        yield Range("act_args", 0, 16)


def kernels(isa: str) -> Iterable[Kernel]:
    vector = 4 * ISAS[isa].lanes
    for step in sorted({vector, 2 * vector, 4, 8, 16}):
        yield from (kernel(isa, *tile, step) for tile in tuning.TILES[isa])
        yield from (kernel(isa, rows, 1, step, True) for rows in tuning.HALVED_ROWS[isa])


def emit(r: Request, plan: Plan, e: Emitter) -> None:
    p, isa, nr = plan.p, r.target.name, plan.nr
    w, bias = convolution.weights(r)
    key = f"direct{' halved' if plan.halved else ''} {plan.cols} {plan.blocked} {plan.lanes}"
    weights = e.weights(key, lambda: plan.pack(w))
    table = e.table(plan.table())
    geometry = plan.geometry()
    step, band_bytes = geometry.pop("step"), geometry.pop("band_bytes")
    band = e.apart(band_bytes) if plan.in_band else None
    sums = e.apart(plan.sums_bytes) if plan.sums_bytes else None
    chunks = -(-plan.tiles // plan.chunk_tiles)
    e.row(
        kernel(isa, plan.rows, plan.cols, step, plan.halved),
        x=e.input(0),
        w=weights,
        table=table,
        bias=e.weights(f"bias {nr}", lambda: conv.padded_bias(bias, plan.kgroups * nr)) if bias is not None else 0,
        res=e.input(3) if convolution.has_residual(r) else 0,
        y=e.output(),
        band=band or 0,
        band_bytes=band.stride if band else 0,
        items=p.n * chunks * plan.ksplits,
        ksplits=plan.ksplits,
        chunks=chunks,
        chunk_tiles=plan.chunk_tiles,
        tiles=plan.tiles,
        row_tiles=plan.row_tiles,
        kgroups=plan.kgroups,
        kblocks=plan.kblocks,
        ow=plan.ow,
        pixels=p.oh * p.ow,
        outer_chunk=plan.outer_chunk,
        sums=sums or 0,
        sums_bytes=sums.stride if sums else 0,
        **conv.epilogue(e, r.op.activation, isa),
        **geometry,
    )


@lowers("Conv")
def direct(r: Request) -> Iterable[Choice]:
    """Every tile of the tuning table, reading the input blocked, and plain where it has few channels; also by halves,
    where those read less."""
    p = convolution.problem(r)
    if p is None or not can_block(r.inputs[0]):
        return
    isa, lanes = r.target.name, r.target.lanes
    tiles = [(rows, cols, False) for rows, cols in tuning.TILES[isa]]
    if p.g > 1 or 0 < p.co % lanes <= lanes // 2:
        tiles += [(rows, 1, True) for rows in tuning.HALVED_ROWS[isa]]
    sources: list[Layout] = ["blocked"] if p.ci > 2 * lanes else ["blocked", "plain"]
    for source in sources:
        for rows, cols, halved in tiles:
            plan = Plan(p, lanes, rows, cols, source == "blocked", r.threads, halved)
            variant = f"{rows}x{cols}{' halved' if halved else ''}"
            reason = f"{variant} tile, {p.macs / plan.macs:.0%} of its multiply-adds useful, input {source}"
            inputs = conv.input_layouts(r, source)
            run = functools.partial(emit, r, plan)
            yield Choice("direct", inputs, "blocked", plan.time_s, reason, run, macs=plan.macs, variant=variant)
