"""How a tile shape covers a direct convolution: chunks, bands, strides, packed weights, and what it costs."""

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinycnn.ir.memory import OVERREAD, readable
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cpu import cost, tuning
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.lowering import blocks


@dataclass(frozen=True)
class Part:
    """Output channels [first, first + width), to which input channels [start, stop) are added."""

    first: int
    width: int
    start: int
    stop: int

    @property
    def macs(self) -> int:
        """For each tap of one pixel."""
        return self.width * (self.stop - self.start)


@dataclass(frozen=True)
class Plan:
    """How one tile shape covers one problem. Strides in bytes.

    halved  whether what only half of a strip reads is multiplied in half vectors
    """

    p: ConvProblem
    lanes: int
    rows: int
    cols: int
    blocked: bool
    threads: int
    halved: bool = False

    @property
    def nr(self) -> int:
        """Output channels of a strip."""
        return self.cols * self.lanes

    @property
    def unit(self) -> int:
        """Input channels that lie side by side."""
        return self.lanes if self.blocked else 1

    @property
    def in_band(self) -> bool:
        p = self.p
        return p.padded or (self.blocked and p.kw == 1 and p.sw > 1) or self.beyond_bytes > OVERREAD

    @property
    def beyond_bytes(self) -> int:
        """How far the last tile of a row that is not padded reads behind the row, for outputs that do not exist."""
        p = self.p
        width = self.ow if p.pixelwise else p.w
        reach = (self.row_tiles * self.rows - 1) * p.sw + (p.kw - 1) * p.dw + 1
        return (reach - width) * 4 * (self.lanes if self.blocked else 1)

    @property
    def oh(self) -> int:
        """Rows of pixels: one of all where they lie so in the input."""
        return 1 if self.p.pixelwise else self.p.oh

    @property
    def ow(self) -> int:
        return self.p.oh * self.p.ow if self.p.pixelwise else self.p.ow

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

    @functools.cached_property
    def strips(self) -> list[Sequence[Part]]:
        """Each of the groups of output blocks: what all of it reads, and where halved its lower and its upper half."""
        find = halves if self.halved else whole
        return [find(self.p, kg * self.nr, self.nr) for kg in range(self.kgroups)]

    def units(self, part: Part) -> int:
        """Of the input, in which the channels lie that a part reads."""
        return -(-part.stop // self.unit) - part.start // self.unit if part.stop > part.start else 0

    @functools.cached_property
    def weight_bytes(self) -> int:
        return 4 * self.p.kh * self.p.kw * sum(part.macs for strip in self.strips for part in strip)

    @property
    def chunk_tiles(self) -> int:
        p = self.p
        per_tile = self.rows * p.ci * 4 * p.kh * min(p.sw, p.kw)
        most = max(1, cost.caches().l2_bytes // 2 // per_tile)
        return cost.even_size(self.tiles, most, p.n, 1 if self.shares_channels else self.threads)

    @property
    def shares_channels(self) -> bool:
        """Whether threads share out output channels rather than pixels, as weights are more than the input."""
        p = self.p
        return self.kgroups >= 2 * self.threads and self.weight_bytes > 4 * p.n * p.ci * p.h * p.w

    @property
    def outer_chunk(self) -> int:
        """Input units whose weights stay in L1 while all tiles of a chunk use them; all where that gains nothing."""
        p = self.p
        run = self.lanes if self.blocked else p.kw
        unit = (p.kh * p.kw if self.blocked else p.kh) * run * self.nr * 4
        units = max(1, *(self.units(strip[0]) for strip in self.strips))
        heavy = self.rows < tuning.L2_ROWS and self.chunk_tiles > 1 and units * unit > cost.caches().l1_bytes
        return max(1, cost.caches().l1_bytes // unit) if heavy else units

    @property
    def sums_bytes(self) -> int:
        chunked = any(self.outer_chunk < self.units(strip[0]) for strip in self.strips)
        return self.chunk_tiles * self.rows * self.nr * 4 if chunked else 0

    @property
    def ksplits(self) -> int:
        """Items of a chunk, each with its own channels: where threads share badly without."""
        return min(self.kgroups, 2 * self.threads) if self.busiest(1) > cost.UNEVEN else 1

    def busiest(self, ksplits: int) -> float:
        return cost.busiest(self.tiles, self.chunk_tiles, self.p.n, ksplits, self.threads)

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
            "band_bytes": units * outer + slack if banded else 0,
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
        """Weights [co, ci / g, kh, kw] as [strips][parts][unit][kh][kw][channels of the unit][output channels of the
        part]; zeros fill them up."""
        packed, at = readable((self.weight_bytes // 4,)), 0
        for part in itertools.chain(*self.strips):
            dense = self.dense(w, part)
            for left, right, side_by_side in runs(part.start, part.stop, self.unit):
                run = dense[:, left - part.start : right - part.start]
                kernel = self.p.kh, self.p.kw
                to = packed[at : at + run.size].reshape(-1, *kernel, side_by_side, part.width)
                to[...] = run.reshape(part.width, -1, side_by_side, *kernel).transpose(1, 3, 4, 2, 0)
                at += run.size
        return packed

    def dense(self, w: np.ndarray, part: Part) -> np.ndarray:
        """Weights [output channels, input channels, kh, kw] of a part."""
        p, last = self.p, min(self.p.co, part.first + part.width)
        if p.g == 1 and last - part.first == part.width and part.stop > part.start:
            return w[part.first : last]
        co_g, ci_g = p.co // p.g, p.ci // p.g
        dense = np.zeros((part.width, part.stop - part.start, p.kh, p.kw), np.float32)
        for k in range(part.first, last):
            group = k // co_g * ci_g
            if part.start <= group < part.stop:
                dense[k - part.first, group - part.start : group - part.start + ci_g] = w[k]
        return dense

    def table(self) -> np.ndarray:
        """i64 [strips, parts, 5]: byte offset of the first input unit, units, channels of the first before the range,
        end of the range in the last, byte offset of the weights."""
        p, unit, plane, rows, offset = self.p, self.unit, self.geometry()["outer_stride"], [], 0
        for part in itertools.chain(*self.strips):
            tail = (part.stop - 1) % unit + 1 if self.blocked else p.kw
            rows.append((part.start // unit * plane, self.units(part), part.start % unit, tail, offset))
            offset += 4 * p.kh * p.kw * part.macs
        return np.array(rows, np.int64)

    @property
    def macs(self) -> int:
        """In whole register tiles."""
        return self.p.n * self.tiles * self.rows * self.weight_bytes // 4

    @property
    def time_s(self) -> float:
        isa = next(name for name, i in ISAS.items() if i.lanes == self.lanes)
        p, core = self.p, cost.core(isa)
        macs = sum(part.macs / (1 if part.width == self.nr else core.half) for strip in self.strips for part in strip)
        run = self.lanes if self.blocked else p.kw
        per_tile = core.products_s(self.rows * p.kh * p.kw * macs, (self.rows, self.cols))
        apart = sum(any(part.macs for part in strip[1:]) for strip in self.strips)
        products = p.n * self.tiles * (per_tile * (1 + cost.RUN_OVERHEAD / run) + apart * cost.HALVED_S)
        passes = p.n * self.tiles / self.chunk_tiles
        band = 8 * p.n * p.ci * p.h * p.w * self.ksplits / cost.caches().l2 if self.in_band else 0.0
        streamed = cost.stream_s(self.weight_bytes, passes)
        return cost.ROW_S + self.busiest(self.ksplits) * (band + cost.overlap_s(products, streamed))


def channels(p: ConvProblem, first: int, nr: int) -> tuple[int, int]:
    """Input channels [start, stop) that output channels [first, first + nr) read, those that there are."""
    co_g, ci_g = p.co // p.g, p.ci // p.g
    return first // co_g * ci_g, ((min(p.co, first + nr) - 1) // co_g + 1) * ci_g


def whole(p: ConvProblem, first: int, nr: int) -> Sequence[Part]:
    """All that a strip reads."""
    return [Part(first, nr, *channels(p, first, nr))]


def halves(p: ConvProblem, first: int, nr: int) -> Sequence[Part]:
    """What both halves of a strip read, the lower alone, and the upper alone. Groups ascend, so halves have one run of
    channels in common at most."""
    middle = first + nr // 2
    start, stop = channels(p, first, nr // 2)
    upper_start, upper_stop = channels(p, middle, nr // 2) if middle < p.co else (stop, stop)
    meet = min(stop, upper_start)
    return [
        Part(first, nr, meet, stop),
        Part(first, nr // 2, start, meet),
        Part(middle, nr // 2, max(stop, upper_start), upper_stop),
    ]


def runs(start: int, stop: int, unit: int) -> Iterator[tuple[int, int, int]]:
    """Channels [start, stop) as runs of whole units, and of what is left of a unit before and behind: the first
    channel, the end, and how many of them lie side by side."""
    edges = sorted({start, min(stop, -(-start // unit) * unit), max(start, stop // unit * unit), stop})
    for left, right in itertools.pairwise(edges):
        yield left, right, unit if left % unit == right % unit == 0 else right - left
