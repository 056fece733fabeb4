"""How a tile shape covers a direct convolution: chunks, bands, strides, packed weights, and what it costs."""

import functools
from dataclasses import dataclass

import numpy as np

from tinycnn.ir.memory import OVERREAD, readable
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cpu import cost, tuning
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.lowering import blocks


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
        return cost.even_size(self.tiles, most, p.n, 1 if self.shares_channels else self.threads)

    @property
    def shares_channels(self) -> bool:
        """Whether threads share out output channels rather than pixels, as weights are more than the input."""
        p, weight_bytes = self.p, 4 * self.k_steps * self.cols * self.lanes
        return self.kgroups >= 2 * self.threads and weight_bytes > 4 * p.n * p.ci * p.h * p.w

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
        streamed = cost.stream_s(self.k_steps * nr * 4, passes)
        return cost.ROW_S + self.busiest(self.ksplits) * (band + cost.overlap_s(products, streamed))
