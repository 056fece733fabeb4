"""Direct convolution: a register tile of output pixels x output channels walks over channels and taps.

    y[rows pixels][cols * lanes channels] += x[pixel + tap][c] (outer) w[c, tap][cols * lanes]

No matrix is formed. The input is read where it lies, blocked or plain; where it is padded, or a 1x1 kernel skips
pixels, the rows that a chunk of tiles needs are first copied into a band of this thread's own, zeros around them.
Groups: each block of output channels walks over the input blocks that its groups read, with zero weights between.
Source: Georganas et al. 2018, arXiv:1808.05567, section II.
"""

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from tinycnn.ir.memory import OVERREAD, readable
from tinycnn.kernels import convolution
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cpu import conv, cost, tuning
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, blocks, can_block, lowers

FIELDS = fields(
    "x:addr w:addr table:table bias:addr res:addr y:addr act:code act_args:addr band:addr sums:addr lo:f32 hi:f32 "
    "items ksplits chunks chunk_tiles tiles row_tiles kgroups kblocks ow pixels "
    "image oy_stride outer_stride ky_n ky_stride kx_n kx_stride inner_n inner_stride "
    "band_bytes units band_sh band_kh band_left band_span band_right "
    "h row_bytes plane_bytes row_step pixel_step oy_step pt:signed pixel_bytes outer_chunk sums_bytes"
)


@functools.cache
def kernel(isa: str, rows: int, cols: int, step: int) -> Kernel:
    """step: bytes from one pixel of a tile to the next. It is fixed so that rows of a tile are displacements of one
    address: as many pointers do not fit the registers."""
    lanes = ISAS[isa].lanes
    nr = cols * lanes

    def build():
        from tinycnn.kernels.cpu.simd import (
            call,
            inline,
            load_i64,
            prefetch,
            prefetch_l2,
            prefetch_write,
            store,
            vectors,
        )
        from tinycnn.kernels.cpu.tile import tiles
        from tinycnn.kernels.cpu.tuning import L2_ROWS

        tile = tiles(rows, cols, lanes)
        zeros, update, finish, store_tile, load_tile = tile.zeros, tile.update, tile.finish, tile.store, tile.load
        v = vectors(lanes)
        load, splat = v.load, v.splat
        vector_bytes = 4 * lanes
        nr_bytes = 4 * nr
        looks_ahead = rows >= L2_ROWS  # tiles of few rows have no load to spare for the pixels of the next one

        @inline
        def clear(address, nbytes):
            zero = splat(0.0)
            for i in range(0, nbytes, vector_bytes):
                store(address + i, zero)

        @inline
        def fill(
            x, band, outer_stride, oy, oys, units, band_sh, band_kh, left, span, right, h, row_bytes, plane_bytes,
            row_step, pixel_step, oy_step, pt, pixel_bytes,
        ):  # fmt: skip
            """Copies the input rows of output rows oy .. oy + oys - 1 of all channels, padded, to the band."""
            for c in range(units):
                to = band + c * outer_stride
                for r in range((oys - 1) * band_sh + band_kh):
                    iy = oy * oy_step - pt + r * row_step
                    if iy < 0 or iy >= h:
                        clear(to, left + span + right)
                    else:
                        source = x + c * plane_bytes + iy * row_bytes
                        clear(to, left)
                        if pixel_step == pixel_bytes:
                            for i in range(0, span, vector_bytes):
                                store(to + left + i, load(source + i))
                        else:
                            for i in range(0, span // vector_bytes):
                                store(to + left + i * vector_bytes, load(source + i * pixel_step))
                        clear(to + left + span, right)
                    to += left + span + right

        @inline
        def accumulate(
            acc, base, b, outer_0, outer_1, outer_n, outer_stride, ky_n, ky_stride, kx_n, kx_stride, inner_n, tail,
            inner_stride, soon, ahead,
        ):  # fmt: skip
            for outer in range(outer_0, outer_1):
                count = tail if outer == outer_n - 1 else inner_n
                for ky in range(ky_n):
                    for kx in range(kx_n):
                        a = base + outer * outer_stride + ky * ky_stride + kx * kx_stride
                        for c in range(count):
                            acc = update(acc, a + c * inner_stride, step, b)
                            b += nr_bytes
                            prefetch_l2(soon)
                            soon += ahead
                            if looks_ahead:
                                prefetch(a + (rows + c) * step)
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
                    offset, outer_n = load_i64(table + kg * 32), load_i64(table + kg * 32 + 8)
                    tail, wk = load_i64(table + kg * 32 + 16), w + load_i64(table + kg * 32 + 24)
                    out = y + (n * kblocks + kg * cols) * column
                    residual = res + (n * kblocks + kg * cols) * column if res != 0 else 0
                    bias_k = bias + kg * nr_bytes if bias != 0 else 0
                    valid_cols = min(cols, kblocks - kg * cols)
                    b = wk
                    for outer_0 in range(0, outer_n, outer_chunk):
                        outer_1 = min(outer_n, outer_0 + outer_chunk)
                        steps = (outer_1 - outer_0) * inner_n
                        if outer_1 == outer_n:
                            steps += tail - inner_n
                        steps *= ky_n * kx_n
                        soon = b + steps * nr_bytes
                        ahead = max(1, nr_bytes // (last - first))
                        partial = sums + thread * sums_bytes
                        for t in range(first, last):
                            oy, ox = t // row_tiles, t % row_tiles * rows
                            at = source + offset + oy * oy_stride + ox * step
                            acc = zeros() if outer_0 == 0 else load_tile(partial, nr_bytes, vector_bytes)
                            place = (oy * ow + ox) * vector_bytes
                            if outer_1 == outer_n:
                                for i in range(rows * cols):
                                    far = place + i // rows * column + i % rows * vector_bytes
                                    if residual != 0:
                                        prefetch(residual + far)
                                    prefetch_write(out + far)
                            acc = accumulate(
                                acc, at, b, outer_0, outer_1, outer_n, outer_stride, ky_n, ky_stride, kx_n, kx_stride,
                                inner_n, tail, inner_stride, soon, ahead,
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

    name = f"conv_direct_step{step}_f32_nchw{lanes}c_{rows}x{cols}__{isa}"
    return Kernel(name, FIELDS, build, functools.partial(ranges, rows, cols, lanes, step), isa)


def ranges(rows: int, cols: int, lanes: int, step: int, a: SimpleNamespace) -> Iterable[Range]:
    vector, nr_bytes = 4 * lanes, 4 * cols * lanes
    require_positive(a, "items ksplits chunks chunk_tiles tiles row_tiles kgroups ow outer_chunk")
    images, oh = a.items // (a.ksplits * a.chunks), (a.tiles - 1) // a.row_tiles + 1
    require(a.items == images * a.ksplits * a.chunks, "items are not all chunks of all images")
    require((a.chunks - 1) * a.chunk_tiles < a.tiles, "a chunk has no tiles")
    require((a.kgroups - 1) * cols < a.kblocks, "a group has no channels")
    require((a.row_tiles - 1) * rows < a.ow and oh * a.ow <= a.pixels, "tiles lie outside of the output")
    groups = a.table[: 4 * a.kgroups].reshape(a.kgroups, 4).tolist()
    require(all(min(group) >= 0 for group in groups), "the table is none")
    taps = (a.ky_n - 1) * a.ky_stride + (a.kx_n - 1) * a.kx_stride
    reach, w_stop = 0, 0
    for offset, outer_n, tail, at in groups:
        inner = max(tail, a.inner_n if outer_n > 1 else 0)
        reach = max(reach, offset + (outer_n - 1) * a.outer_stride + taps + (inner - 1) * a.inner_stride + 4)
        w_stop = max(w_stop, at + ((outer_n - 1) * a.inner_n + tail) * a.ky_n * a.kx_n * nr_bytes)
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
    if any(outer_n > a.outer_chunk for _, outer_n, _, _ in groups):
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
    return [kernel(isa, *tile, step) for tile in tuning.TILES[isa] for step in sorted({vector, 2 * vector, 4, 8, 16})]


@dataclass(frozen=True)
class Plan:
    """How one tile shape covers one problem. Strides in bytes."""

    p: ConvProblem
    lanes: int
    rows: int
    cols: int
    blocked: bool
    threads: int

    @property
    def flat(self) -> bool:
        """Whether all pixels form one row: a 1x1 kernel that skips none."""
        p = self.p
        return (p.kh, p.kw, p.sh, p.sw) == (1, 1, 1, 1) and not p.padded

    @property
    def in_band(self) -> bool:
        p = self.p
        return p.padded or (self.blocked and p.kw == 1 and p.sw > 1) or self.beyond_bytes > OVERREAD

    @property
    def beyond_bytes(self) -> int:
        """How far the last tile of a row that is not padded reads behind the row, for outputs that do not exist."""
        p = self.p
        width = self.ow if self.flat else p.w
        reach = (self.row_tiles * self.rows - 1) * p.sw + (p.kw - 1) * p.dw + 1
        return (reach - width) * 4 * (self.lanes if self.blocked else 1)

    @property
    def oh(self) -> int:
        return 1 if self.flat else self.p.oh

    @property
    def ow(self) -> int:
        return self.p.oh * self.p.ow if self.flat else self.p.ow

    @property
    def row_tiles(self) -> int:
        return -(-self.ow // self.rows)

    @property
    def tiles(self) -> int:
        return self.oh * self.row_tiles

    @property
    def kblocks(self) -> int:
        return blocks(self.p.co, self.lanes)

    @property
    def kgroups(self) -> int:
        return -(-self.kblocks // self.cols)

    def channels(self, kg: int) -> tuple[int, int]:
        """Input channels [start, stop) that output block group kg reads; start on a block boundary."""
        p, nr = self.p, self.cols * self.lanes
        co_g, ci_g = p.co // p.g, p.ci // p.g
        first, last = kg * nr // co_g, min(p.co - 1, (kg + 1) * nr - 1) // co_g
        unit = self.lanes if self.blocked else 1
        return first * ci_g // unit * unit, min(p.ci, (last + 1) * ci_g)

    @property
    def k_steps(self) -> int:
        """Rank-1 updates of all block groups for one tile."""
        return sum(stop - start for start, stop in self.ranges) * self.p.kh * self.p.kw

    @property
    def chunk_tiles(self) -> int:
        p = self.p
        per_tile = self.rows * p.ci * 4 * p.kh * min(p.sw, p.kw)
        most = max(1, cost.caches().l2_bytes // 2 // per_tile)
        chunks = -(-self.tiles // min(self.tiles, most))
        return -(-self.tiles // chunks)

    @property
    def outer_chunk(self) -> int:
        """Input units whose weights stay in L1 while all tiles of a chunk use them; all where that gains nothing."""
        p, nr = self.p, self.cols * self.lanes
        run = self.lanes if self.blocked else p.kw
        unit = (p.kh * p.kw if self.blocked else p.kh) * run * nr * 4
        units = max(-(-(stop - start) // (self.lanes if self.blocked else 1)) for start, stop in self.ranges)
        heavy = self.rows < tuning.L2_ROWS and self.chunk_tiles > 1 and units * unit > cost.caches().l1_bytes
        return max(1, cost.caches().l1_bytes // unit) if heavy else units

    @property
    def sums_bytes(self) -> int:
        chunked = any(
            self.outer_chunk * (self.lanes if self.blocked else 1) < stop - start for start, stop in self.ranges
        )
        return self.chunk_tiles * self.rows * self.cols * self.lanes * 4 if chunked else 0

    @functools.cached_property
    def ranges(self) -> list[tuple[int, int]]:
        return [self.channels(kg) for kg in range(self.kgroups)]

    @property
    def ksplits(self) -> int:
        items = self.p.n * -(-self.tiles // self.chunk_tiles)
        return 1 if self.threads == 1 else min(self.kgroups, -(-4 * self.threads // items))

    def geometry(self) -> dict[str, int]:
        """The fields that say where input pixels lie: in the input itself, or in a band of it."""
        p, banded = self.p, self.in_band
        pixel = 4 * self.lanes if self.blocked else 4
        units = blocks(p.ci, self.lanes) if self.blocked else p.ci
        row_bytes, plane = p.w * pixel, p.h * p.w * pixel
        row_step = p.sh if p.kh == 1 else 1
        col_step = p.sw if p.kw == 1 and self.blocked and not p.pl else 1
        sh, sw = p.sh // row_step, p.sw // col_step
        kh = (p.kh - 1) * p.dh + 1
        width = (p.ow - 1) * sw + (p.kw - 1) * p.dw + 1
        left = min(p.pl, width)
        span = min(width - left, -(-p.w // col_step))
        most_rows = min(p.oh, (self.chunk_tiles + self.row_tiles - 2) // self.row_tiles + 1)
        line = width * pixel if banded else row_bytes
        outer = ((most_rows - 1) * sh + kh) * line if banded else plane
        step = pixel * (sw if banded else p.sw)
        slack = self.rows * step + 4 * self.lanes
        inner, kx = (self.lanes, p.kw) if self.blocked else (p.kw, 1)
        return {
            "image": units * plane,
            "step": step,
            "oy_stride": line * (sh if banded else p.sh),
            "outer_stride": outer,
            "ky_n": p.kh,
            "ky_stride": line * (1 if row_step > 1 and banded else p.dh),
            "kx_n": kx,
            "kx_stride": pixel * p.dw,
            "inner_n": inner,
            "inner_stride": 4 if self.blocked else 4 * p.dw,
            "band_bytes": -(-(units * outer + slack) // 64) * 64 if banded else 0,
            "units": units,
            "band_sh": sh,
            "band_kh": kh,
            "band_left": left * pixel,
            "band_span": span * pixel,
            "band_right": (width - left - span) * pixel,
            "h": p.h,
            "row_bytes": row_bytes,
            "plane_bytes": plane,
            "row_step": row_step,
            "pixel_step": col_step * pixel,
            "oy_step": p.sh,
            "pt": p.pt,
            "pixel_bytes": pixel,
        }

    def pack(self, w: np.ndarray) -> np.ndarray:
        """Weights [co, ci / g, kh, kw] as [kgroups][unit][kh][kw][channels of the unit][nr]; zeros fill them up."""
        p, nr, unit = self.p, self.cols * self.lanes, self.lanes if self.blocked else 1
        packed = readable((self.k_steps * nr,))
        at = 0
        for kg, (start, stop) in enumerate(self.ranges):
            dense = self.dense(w, kg)
            whole = (stop - start) // unit * unit
            for part, channels in ((dense[:, :whole], unit), (dense[:, whole:], stop - start - whole)):
                if part.size:
                    to = packed[at : at + part.size].reshape(-1, p.kh, p.kw, channels, nr)
                    to[...] = part.reshape(nr, -1, channels, p.kh, p.kw).transpose(1, 3, 4, 2, 0)
                    at += part.size
        return packed

    def dense(self, w: np.ndarray, kg: int) -> np.ndarray:
        """Weights [nr, channels that the group reads, kh, kw] of a group of output blocks."""
        p, nr = self.p, self.cols * self.lanes
        first, last = kg * nr, min(p.co, (kg + 1) * nr)
        if p.g == 1 and last - first == nr:
            return w[first:last]
        co_g, ci_g = p.co // p.g, p.ci // p.g
        start, stop = self.ranges[kg]
        dense = np.zeros((nr, stop - start, p.kh, p.kw), np.float32)
        for k in range(first, last):
            at = k // co_g * ci_g - start
            dense[k - first, at : at + ci_g] = w[k]
        return dense

    def table(self) -> np.ndarray:
        """i64 [kgroups, 4]: byte offset of the first input unit, units, channels of the last, byte offset of the
        weights."""
        p, nr, unit = self.p, self.cols * self.lanes, self.lanes if self.blocked else 1
        plane, rows, offset = self.geometry()["outer_stride"], [], 0
        for start, stop in self.ranges:
            units = -(-(stop - start) // unit)
            tail = stop - start - (units - 1) * unit if self.blocked else p.kw
            rows.append((start // unit * plane, units, tail, offset))
            offset += 4 * nr * (stop - start) * p.kh * p.kw
        return np.array(rows, np.int64)

    @property
    def macs(self) -> int:
        """In whole register tiles."""
        return self.p.n * self.tiles * self.k_steps * self.rows * self.cols * self.lanes

    @property
    def time_s(self) -> float:
        isa = next(name for name, i in ISAS.items() if i.lanes == self.lanes)
        p, nr = self.p, self.cols * self.lanes
        updates = p.n * self.tiles * self.k_steps
        per_update = cost.core(isa).products_s(self.rows * nr, (self.rows, self.cols))
        run = self.lanes if self.blocked else p.kw
        products = updates * per_update * (1 + cost.RUN_OVERHEAD / run)
        passes = p.n * self.tiles / self.chunk_tiles
        band = 8 * p.n * p.ci * p.h * p.w * self.ksplits / cost.caches().l2 if self.in_band else 0.0
        return cost.ROW_S + band + cost.overlap_s(products, cost.stream_s(self.k_steps * nr * 4, passes))


def emit(r: Request, plan: Plan, e: Emitter) -> None:
    p, isa = plan.p, r.target.name
    w, bias = convolution.weights(r)
    nr = plan.cols * plan.lanes
    weights = e.weights(f"direct {plan.cols} {plan.blocked} {plan.lanes}", lambda: plan.pack(w))
    table = e.table(plan.table())
    geometry = plan.geometry()
    step = geometry.pop("step")
    chunks = -(-plan.tiles // plan.chunk_tiles)
    e.row(
        kernel(isa, plan.rows, plan.cols, step),
        x=e.input(0),
        w=weights,
        table=table,
        bias=e.weights(f"bias {nr}", lambda: conv.padded_bias(bias, plan.kgroups * nr)) if bias is not None else 0,
        res=e.input(3) if convolution.has_residual(r) else 0,
        y=e.output(),
        band=e.scratch(geometry["band_bytes"] * r.threads) if plan.in_band else 0,
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
        sums=e.scratch(plan.sums_bytes * r.threads) if plan.sums_bytes else 0,
        sums_bytes=plan.sums_bytes,
        **conv.epilogue(e, r.op.activation, isa),
        **geometry,
    )


@lowers("Conv")
def direct(r: Request) -> Iterable[Choice]:
    """Every tile of the tuning table, reading the input blocked, and plain where it has few channels."""
    p = convolution.problem(r)
    if p is None or not can_block(r.inputs[0]):
        return
    sources: list[Layout] = ["blocked"] if p.ci > 2 * r.target.lanes else ["blocked", "plain"]
    for source in sources:
        for rows, cols in tuning.TILES[r.target.name]:
            plan = Plan(p, r.target.lanes, rows, cols, source == "blocked", r.threads)
            reason = f"{rows}x{cols} tile, {p.macs / plan.macs:.0%} of its multiply-adds useful, input {source}"
            inputs = conv.input_layouts(r, source)
            run = functools.partial(emit, r, plan)
            variant = f"{rows}x{cols}"
            yield Choice("direct", inputs, "blocked", plan.time_s, reason, run, macs=plan.macs, variant=variant)
