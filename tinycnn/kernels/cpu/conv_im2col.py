"""The universal convolution: the inputs of a block of output pixels are gathered into a matrix, then multiplied.

    panel[pixel][k] = x at the taps of the pixel, zero in the padding;    y[pixel][co] = panel[pixel][k] w[k][co]

A table says where the taps lie relative to a pixel's first one, as runs of numbers that are neighbours in memory:
kernel rows of a plain input, channels of a blocked one. Any kernel, stride, dilation, padding and number of groups.
Source: Chellapilla, Puri and Simard 2006, IWFHR, section 3; blocked as in Dukhan 2019, arXiv:1907.02129, section 2.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from tinycnn.ir.memory import readable
from tinycnn.kernels import convolution
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cpu import conv, cost, tuning
from tinycnn.kernels.cpu.isa import ISAS, Isa
from tinycnn.kernels.cpu.panels import panels
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request, blocks, can_block, lowers
from tinycnn.ops.activation import Activation

FIELDS = fields(
    "x:addr w:addr table:table scratch:addr bias:addr res:addr y:addr act:code act_args:addr lo:f32 hi:f32 "
    "images groups chunks chunk_strips splits columns co_g co k lda h width oh ow sh sw pt:signed pl:signed "
    "extent_h extent_w image_bytes row_bytes pixel_bytes spread scratch_bytes"
)
ENTRY = 32  # bytes of a run in the table: offset, dy, dx, count as i64
HEADER = 16  # bytes of a group in the table: offset of its first run, runs


@functools.cache
def kernel(isa: str, rows: int, cols: int) -> Kernel:
    lanes = ISAS[isa].lanes
    nr, vector = cols * lanes, 4 * lanes

    def build():
        from tinycnn.kernels.cpu.finish import finisher
        from tinycnn.kernels.cpu.simd import (
            call,
            inline,
            jit,
            load_f32,
            load_i64,
            prefetch_l2,
            store,
            store_f32,
            vectors,
        )
        from tinycnn.kernels.cpu.tile import tiles

        tile, v = tiles(rows, cols, lanes), vectors(lanes)
        load, splat = v.load, v.splat
        zeros, update, finish_tile, finish = tile.zeros, tile.update, tile.finish, finisher(lanes)
        infinity = np.float32(np.inf)

        @inline
        def gather_inside(source, to, run, stop):
            """Whole vectors; what they bring beyond their run, the next run overwrites."""
            while run < stop:
                store(to, load(source + load_i64(run)))
                to += 4 * load_i64(run + 24)
                run += ENTRY

        @inline
        def gather_at_border(source, to, run, stop, iy, ix, h, width, spread):
            while run < stop:
                y, x, count = iy + load_i64(run + 8), ix + load_i64(run + 16), load_i64(run + 24)
                if y < 0 or y >= h or x + (count - 1) * spread < 0 or x >= width:
                    store(to, splat(0.0))
                elif x >= 0 and x + (count - 1) * spread < width:
                    store(to, load(source + load_i64(run)))
                else:
                    for i in range(count):
                        inside = x + i >= 0 and x + i < width
                        store_f32(to + i * 4, load_f32(source + load_i64(run) + i * 4) if inside else np.float32(0.0))
                to += 4 * count
                run += ENTRY

        @jit
        def gather(
            x, panel, run, stop, first, count, lda, h, width, ow, sh, sw, pt, pl, extent_h, extent_w,
            row_bytes, pixel_bytes, spread,
        ):  # fmt: skip
            oy, ox = first // ow, first % ow
            for i in range(count):
                iy, ix = oy * sh - pt, ox * sw - pl
                source, to = x + iy * row_bytes + ix * pixel_bytes, panel + i * lda
                if iy >= 0 and ix >= 0 and iy + extent_h <= h and ix + extent_w <= width:
                    gather_inside(source, to, run, stop)
                else:
                    gather_at_border(source, to, run, stop, iy, ix, h, width, spread)
                ox += 1
                if ox == ow:
                    oy, ox = oy + 1, 0

        @jit
        def scatter(spill, res, y, act, act_args, lo, hi, valid, channel, count, pixels):
            """Channels of a tile that do not begin with a block: the lanes of other groups stay untouched."""
            for i in range(valid):
                done = 0
                while done < count:
                    block, lane = (channel + done) // lanes, (channel + done) % lanes
                    part = min(lanes - lane, count - done)
                    place = (block * pixels + i) * vector + 4 * lane
                    x = load(spill + (i * nr + done) * 4)
                    finish(x, res + place if res != 0 else 0, y + place, lo, hi, part)
                    if act != 0:
                        call(act, act_args, y + place, part)
                    done += part

        def conv_im2col(
            x, w, table, scratch, bias, res, y, act, act_args, lo, hi,
            images, groups, chunks, chunk_strips, splits, columns, co_g, co, k, lda, h, width, oh, ow, sh, sw, pt, pl,
            extent_h, extent_w, image_bytes, row_bytes, pixel_bytes, spread, scratch_bytes,
            thread, threads,
        ):  # fmt: skip
            pixels, chunk = oh * ow, chunk_strips * rows
            image_out = (co + lanes - 1) // lanes * pixels * vector
            spill = scratch + thread * scratch_bytes
            panel = spill + rows * nr * 4 + vector
            items = images * groups * chunks * splits
            for item in range(items * thread // threads, items * (thread + 1) // threads):
                part, split = item // splits, item % splits
                first, part = part % chunks * chunk, part // chunks
                image, group = part // groups, part % groups
                count = min(chunk, pixels - first)
                run = table + load_i64(table + group * HEADER)
                gather(
                    x + image * image_bytes, panel, run, run + load_i64(table + group * HEADER + 8) * ENTRY, first,
                    count, lda, h, width, ow, sh, sw, pt, pl, extent_h, extent_w, row_bytes, pixel_bytes, spread,
                )  # fmt: skip
                for column in range(columns * split // splits, columns * (split + 1) // splits):
                    number = group * columns + column
                    channel = group * co_g + column * nr
                    channels = min(nr, co_g - column * nr)
                    b = w + number * k * nr * 4
                    bias1 = bias + number * nr * 4 if bias != 0 else 0
                    soon = b + k * nr * 4
                    ahead = max(1, nr * 4 // chunk_strips)
                    for start in range(0, count, rows):
                        acc = zeros()
                        a = panel + start * lda
                        for p in range(k):
                            acc = update(acc, a + p * 4, lda, b + p * nr * 4)
                            prefetch_l2(soon)
                            soon += ahead
                        valid = min(rows, count - start)
                        place = image * image_out + (first + start) * vector
                        if groups == 1 or co_g % lanes == 0:
                            place += channel // lanes * pixels * vector
                            to, valid_cols = y + place, (channels + lanes - 1) // lanes
                            r = res + place if res != 0 else 0
                            finish_tile(acc, bias1, r, to, vector, pixels * vector, lo, hi, valid, valid_cols)
                            if act != 0:
                                for j in range(valid_cols):
                                    call(act, act_args, to + j * pixels * vector, valid * lanes)
                        else:
                            r = res + place if res != 0 else 0
                            finish_tile(acc, bias1, 0, spill, nr * 4, vector, -infinity, infinity, rows, cols)
                            scatter(spill, r, y + place, act, act_args, lo, hi, valid, channel, channels, pixels)

        return conv_im2col

    name = f"conv_im2col_f32_nchw{lanes}c_{rows}x{cols}__{isa}"
    return Kernel(name, FIELDS, build, functools.partial(ranges, rows, cols, lanes), isa)


def ranges(rows: int, cols: int, lanes: int, a: SimpleNamespace) -> Iterable[Range]:
    nr, vector = cols * lanes, 4 * lanes
    require_positive(a, "images groups chunks chunk_strips splits h width oh ow")
    require(a.spread == 0 or (a.spread == 1 and a.pixel_bytes == 4), "a run is neither of channels nor of pixels")
    require(a.groups * a.co_g <= a.co, "groups have more channels than there are")
    require((a.chunks - 1) * a.chunk_strips * rows < a.oh * a.ow, "a chunk has no pixels")
    require(a.splits <= max(1, a.columns), "a split has no columns")
    beside, written = 0, 4 * a.k
    for group in range(a.groups):
        first, count = (int(n) for n in a.table[2 * group : 2 * group + 2])
        at = 0
        for offset, dy, dx, taps in a.table[first // 8 : first // 8 + 4 * count].reshape(count, 4).tolist():
            require(min(dy, dx, taps) >= 0, "a run begins before its pixel")
            require(dy < a.extent_h and dx + max(taps - 1, 0) * a.spread < a.extent_w, "a run leaves the kernel")
            rest = offset - dy * a.row_bytes - dx * a.pixel_bytes
            require(rest >= 0, "a run begins before the input")
            beside, written, at = max(beside, rest), max(written, at + vector), at + 4 * taps
        require(first >= 0 and first % 8 == 0 and at <= 4 * a.k, "the table is none")
    panel = (a.chunk_strips * rows - 1) * a.lda + written
    require(rows * nr * 4 + vector + panel <= a.scratch_bytes, "the scratch is too small")
    x_reach = (a.images - 1) * a.image_bytes + (a.h - 1) * a.row_bytes + (a.width - 1) * a.pixel_bytes
    y_bytes = a.images * blocks(a.co, lanes) * a.oh * a.ow * vector
    yield Range("x", 0, x_reach + beside + vector)
    yield Range("w", 0, a.groups * a.columns * a.k * nr * 4)
    yield Range("scratch", 0, a.scratch_bytes, writes=True, per_thread=True)
    yield Range("y", 0, y_bytes, writes=True)
    if a.bias:
        yield Range("bias", 0, a.groups * a.columns * nr * 4)
    if a.res:
        yield Range("res", 0, y_bytes + rows * vector)
    if a.act_args:
        yield Range("act_args", 0, 16)


def kernels(isa: str) -> Iterable[Kernel]:
    wide, narrow = tuning.IM2COL_TILES[isa]
    return [kernel(isa, *tile) for tile in dict.fromkeys(wide + narrow)]


Taps = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Run:
    """Neighbours in memory: `count` taps in a kernel row, or channels at one tap.

    channels, ky, kx  where they stand in a group's weights [co, ci, kh, kw]
    offset            bytes from the first tap of the pixel, channel 0 of the input
    """

    channels: slice
    ky: int
    kx: tuple[int, ...]
    offset: int
    dy: int
    dx: int
    count: int


@dataclass(frozen=True)
class Plan:
    """How one tile shape covers one problem.

    taps_h, taps_w  (place in the kernel, rows or columns behind the first tap), in the order of the latter
    """

    p: ConvProblem
    taps_h: Taps
    taps_w: Taps
    isa: Isa
    layout: Layout
    threads: int
    tile: tuple[int, int]

    @property
    def lanes(self) -> int:
        return self.isa.lanes

    @property
    def rows(self) -> int:
        return self.tile[0]

    @property
    def nr(self) -> int:
        return self.tile[1] * self.lanes

    @property
    def co_g(self) -> int:
        return self.p.co // self.p.g

    @property
    def k(self) -> int:
        return self.p.ci // self.p.g * len(self.taps_h) * len(self.taps_w)

    @property
    def columns(self) -> int:
        return -(-self.co_g // self.nr)

    @property
    def lda(self) -> int:
        """An odd number of cache lines, so that the rows of a tile do not meet in one set of a cache."""
        return (-(-4 * self.k // 64) | 1) * 64

    @property
    def strips(self) -> int:
        return -(-self.p.oh * self.p.ow // self.rows)

    @property
    def chunk_strips(self) -> int:
        most = max(1, cost.caches().l2_bytes // 2 // (self.rows * self.lda))
        return cost.even_size(self.strips, most, self.p.n * self.p.g, self.threads)

    @property
    def chunks(self) -> int:
        return -(-self.strips // self.chunk_strips)

    @property
    def splits(self) -> int:
        """Items of a chunk, each with its own columns, which gather the same panel: if threads share badly without."""
        return min(self.columns, self.threads) if self.busiest(1) > cost.UNEVEN else 1

    def busiest(self, splits: int) -> float:
        return cost.busiest(self.strips, self.chunk_strips, self.p.n * self.p.g, splits, self.threads)

    @property
    def pixel_bytes(self) -> int:
        return 4 * self.lanes if self.layout == "blocked" else 4

    @property
    def image_bytes(self) -> int:
        planes = blocks(self.p.ci, self.lanes) if self.layout == "blocked" else self.p.ci
        return planes * self.p.h * self.p.w * self.pixel_bytes

    def runs(self, group: int) -> Iterator[Run]:
        """In the order of k."""
        p, lanes = self.p, self.lanes
        plane, blocked = p.h * p.w * self.pixel_bytes, self.layout == "blocked"
        edges = self.edges(group)
        for c, end in itertools.pairwise(edges):
            base = c // lanes * plane + c % lanes * 4 if blocked else c * plane
            for (ky, dy), taps in itertools.product(self.taps_h, self.neighbours):
                dx = taps[0][1]
                offset = base + (dy * p.w + dx) * self.pixel_bytes
                count = end - c if blocked else len(taps)
                yield Run(slice(c - edges[0], end - edges[0]), ky, tuple(kx for kx, _ in taps), offset, dy, dx, count)

    def edges(self, group: int) -> Sequence[int]:
        """Where runs of a group's channels begin and end: on blocks where the input is blocked, else each is one."""
        ci_g, lanes = self.p.ci // self.p.g, self.lanes
        start, stop = group * ci_g, (group + 1) * ci_g
        if self.layout == "plain":
            return range(start, stop + 1)
        return [start, *range((start // lanes + 1) * lanes, stop, lanes), stop]

    @functools.cached_property
    def neighbours(self) -> list[Taps]:
        """Taps of a kernel row that are read at once: of a plain input those side by side, a vector of them at most."""
        if self.layout == "blocked":
            return [(tap,) for tap in self.taps_w]
        taps, first, found = self.taps_w, 0, []
        for i in range(1, len(taps) + 1):
            if i == len(taps) or taps[i][1] != taps[i - 1][1] + 1 or i - first == self.lanes:
                found.append(taps[first:i])
                first = i
        return found

    def table(self) -> np.ndarray:
        """i64: (byte offset of the first run, runs) of each group, then (offset, dy, dx, count) of each run."""
        entries: list[tuple[int, int, int, int]] = []
        header = []
        for group in range(self.p.g):
            runs = [(r.offset, r.dy, r.dx, r.count) for r in self.runs(group)]
            header.append((self.p.g * HEADER + len(entries) * ENTRY, len(runs)))
            entries += runs
        return np.concatenate([np.array(header, np.int64).ravel(), np.array(entries, np.int64).ravel()])

    def pack(self, w: np.ndarray) -> np.ndarray:
        """Weights [co, ci / g, kh, kw] as [g][columns][k][nr]; zeros behind each group's last channel."""
        packed = readable((self.p.g, self.columns, self.k, self.nr))
        for group, dense in enumerate(w.reshape(self.p.g, self.co_g, -1)):
            order = self.order(group, *w.shape[2:])
            in_order = np.array_equal(order, np.arange(dense.shape[1]))
            panels(dense if in_order else dense[:, order], self.nr, packed[group])
        return packed

    def order(self, group: int, kh: int, kw: int) -> np.ndarray:
        """Where in [ci / g, kh, kw] the weights of each k stand: none where all taps fall beside the input."""
        runs = [np.empty(0, np.int64)]
        for r in self.runs(group):
            channels = np.arange(r.channels.start, r.channels.stop)[:, None]
            runs.append(((channels * kh + r.ky) * kw + np.array(r.kx)).ravel())
        return np.concatenate(runs)

    def pack_bias(self, bias: np.ndarray) -> np.ndarray:
        """[g][columns * nr], zeros behind each group's last channel."""
        padded = np.zeros((self.p.g, self.columns * self.nr), np.float32)
        padded[:, : self.co_g] = bias.reshape(self.p.g, self.co_g)
        return padded

    @property
    def pixels(self) -> int:
        """Of all images, in whole register tiles."""
        return self.p.n * self.strips * self.rows

    @property
    def weights(self) -> int:
        return self.p.g * self.columns * self.nr * self.k

    @property
    def macs(self) -> int:
        return self.pixels * self.weights

    @property
    def time_s(self) -> float:
        p, core, pixels = self.p, cost.core(self.isa.name), self.pixels
        runs = pixels * p.g * (len(self.edges(0)) - 1) * len(self.taps_h) * len(self.neighbours) * self.splits
        parts = pixels * p.g if p.g > 1 and self.co_g % self.lanes else 0
        compute = core.products_s(self.macs, self.tile)
        gather = runs * core.im2col_run_s + parts * core.im2col_scatter_s
        return self.busiest(self.splits) * cost.overlap_s(
            compute + gather, cost.stream_s(4 * self.weights, p.n * self.chunks)
        )

    def emit(
        self, e: Emitter, y: Ref, w: np.ndarray, bias: np.ndarray | None, residual: Ref | int,
        activation: Activation | None,
    ) -> None:  # fmt: skip
        p, key = self.p, f"im2col {self.taps_h} {self.taps_w} {self.layout} {self.nr}"
        table, vector = self.table(), 4 * self.lanes
        panel_bytes = self.chunk_strips * self.rows * self.lda
        scratch = e.apart(self.rows * self.nr * 4 + panel_bytes + 2 * vector)
        e.row(
            kernel(self.isa.name, *self.tile),
            x=e.input(0),
            w=e.weights(key, lambda: self.pack(w)),
            table=e.table(table),
            scratch=scratch,
            bias=0 if bias is None else e.weights(f"im2col bias {self.nr}", lambda: self.pack_bias(bias)),
            res=residual,
            y=y,
            images=p.n,
            groups=p.g,
            chunks=self.chunks,
            chunk_strips=self.chunk_strips,
            splits=self.splits,
            columns=self.columns,
            co_g=self.co_g,
            co=p.co,
            k=self.k,
            lda=self.lda,
            **conv.sizes(p, "h width oh ow sh sw pt pl"),
            extent_h=1 + max((dy for _, dy in self.taps_h), default=0),
            extent_w=1 + max((dx for _, dx in self.taps_w), default=0),
            image_bytes=self.image_bytes,
            row_bytes=p.w * self.pixel_bytes,
            pixel_bytes=self.pixel_bytes,
            spread=0 if self.layout == "blocked" else 1,
            scratch_bytes=scratch.stride,
            **conv.epilogue(e, activation, self.isa.name),
        )


LAYOUTS: tuple[Layout, ...] = ("blocked", "plain")


def tiles(p: ConvProblem, isa: Isa) -> Sequence[tuple[int, int]]:
    """The register tiles that suit groups of so many output channels."""
    return tuning.IM2COL_TILES[isa.name][p.co // p.g <= isa.lanes]


def emit(r: Request, plan: Plan, e: Emitter) -> None:
    residual = e.input(3) if convolution.has_residual(r) else 0
    plan.emit(e, e.output(), *convolution.weights(r), residual, r.op.activation)


@lowers("Conv")
def im2col(r: Request) -> Iterable[Choice]:
    """One choice for each layout of the input."""
    p = convolution.problem(r)
    if p is None or not can_block(r.inputs[0]):
        return
    taps_h, taps_w = (tuple((i, i * d) for i in range(k)) for k, d in ((p.kh, p.dh), (p.kw, p.dw)))
    for layout, (rows, cols) in itertools.product(LAYOUTS, tiles(p, r.target)):
        plan = Plan(p, taps_h, taps_w, r.target, layout, r.threads, (rows, cols))
        pixels = min(plan.chunk_strips * rows, p.oh * p.ow)
        reason = f"{plan.k} taps of {pixels} pixels gathered at a time, {rows}x{cols} tile, input {layout}"
        run = functools.partial(emit, r, plan)
        yield Choice(
            "im2col", conv.input_layouts(r, layout), "blocked", plan.time_s, reason, run, macs=plan.macs,
            variant=f"{rows}x{cols}",
        )  # fmt: skip
