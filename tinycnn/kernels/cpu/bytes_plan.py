"""How a tile shape covers a convolution of bytes: the band, packed weights, and what it costs."""

import functools
from dataclasses import dataclass

import numpy as np

from tinycnn.ir.memory import readable
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cpu import conv, cost
from tinycnn.kernels.lowering import blocks

LANES = 16
WORDS_A_STEP = 4  # products of bytes that one instruction adds up, in place of one of floats

# Seconds to convert a vector on its way into the band, and to scale and store one of the result.
BAND_VECTOR_S = 0.5e-9
STORE_VECTOR_S = 1.2e-9


@dataclass(frozen=True)
class Plan:
    """How one tile shape covers one problem.

    pixel  bytes of a pixel in the band: 16 of a blocked input, 4 of a plain one
    """

    p: ConvProblem
    rows: int
    cols: int
    pixel: int
    threads: int

    @property
    def nr(self) -> int:
        return self.cols * LANES

    @property
    def flat(self) -> bool:
        """Whether all pixels form one row, of which a chunk is a piece."""
        return self.p.pixelwise

    @property
    def units(self) -> int:
        return blocks(self.p.ci, self.pixel)

    @property
    def tail(self) -> int:
        """Words of the last unit."""
        return blocks(self.p.ci - (self.units - 1) * self.pixel, 4)

    @property
    def steps(self) -> int:
        return ((self.units - 1) * self.pixel // 4 + self.tail) * self.p.kh * self.p.kw

    @property
    def kblocks(self) -> int:
        return blocks(self.p.co, LANES)

    @property
    def kgroups(self) -> int:
        return blocks(self.kblocks, self.cols)

    @property
    def row_step(self) -> int:
        return self.p.sh if self.p.kh == 1 else 1

    @property
    def band_sh(self) -> int:
        return self.p.sh // self.row_step

    @property
    def band_kh(self) -> int:
        return (self.p.kh - 1) * self.p.dh + 1

    @property
    def phases(self) -> int:
        return min(self.p.sw, (self.p.kw - 1) * self.p.dw + 1)

    @property
    def strips(self) -> int:
        """Tiles of a row; of all pixels, where they form one."""
        return blocks(self.p.oh * self.p.ow if self.flat else self.p.ow, self.rows)

    @functools.cached_property
    def chunk(self) -> int:
        """Tiles of a chunk where pixels form one row, else output rows."""
        row_bytes = self.units * self.phases * self.phase_pixels_of(self.strips) * self.pixel
        each = self.rows * self.units * self.pixel if self.flat else self.band_sh * row_bytes
        most = max(1, cost.caches().l2_bytes // 2 // each)
        return cost.even_size(self.pieces, most, self.p.n, self.threads)

    @property
    def pieces(self) -> int:
        """Of which chunks are made."""
        return self.strips if self.flat else self.p.oh

    @property
    def chunks(self) -> int:
        return blocks(self.pieces, self.chunk)

    @property
    def chunk_rows(self) -> int:
        return 1 if self.flat else self.chunk

    @property
    def row_tiles(self) -> int:
        return self.chunk if self.flat else self.strips

    def phase_pixels_of(self, tiles: int) -> int:
        return tiles * self.rows + (self.p.kw - 1) * self.p.dw // self.p.sw

    @property
    def phase_pixels(self) -> int:
        return self.phase_pixels_of(self.row_tiles)

    @property
    def width(self) -> int:
        """Of the input, or of a chunk of its pixels where they form one row."""
        return self.chunk * self.rows if self.flat else self.p.w

    @property
    def scratch_bytes(self) -> int:
        band_rows = (self.chunk_rows - 1) * self.band_sh + self.band_kh
        band = self.units * band_rows * self.phases * self.phase_pixels * self.pixel
        return band + 64 + (4 * self.width + 64 if self.pixel == 4 else 0)

    def geometry(self) -> dict[str, int]:
        """The fields that say where pixels lie."""
        p = self.p
        names = (
            "kblocks kgroups chunks chunk_rows splits row_tiles width row_step band_sh band_kh phases phase_pixels tail"
        )
        return {
            **{name: getattr(self, name) for name in names.split()},
            **conv.sizes(p, "ci sh sw pt pl"),
            "images": p.n,
            "h": self.chunks if self.flat else p.h,
            "oh": self.chunks if self.flat else p.oh,
            "ow": self.width if self.flat else p.ow,
            "in_pixels": p.h * p.w,
            "out_pixels": p.oh * p.ow,
            "taps_n": p.kh * p.kw,
        }

    def taps(self) -> np.ndarray:
        """i64 [kh * kw]: bytes in the band from a pixel's first tap to each."""
        p = self.p
        columns = [dx % p.sw * self.phase_pixels + dx // p.sw for dx in range(0, p.kw * p.dw, p.dw)]
        rows = [dy * self.phases * self.phase_pixels for dy in range(0, p.kh * p.dh, p.dh)]
        return np.array([(row + column) * self.pixel for row in rows for column in columns], np.int64)

    def pack(self, w: np.ndarray) -> np.ndarray:
        """Weights [co, ci, kh, kw] as i8 [kgroups][unit][kh][kw][words of the unit][nr][4], zeros behind the last
        channels."""
        p, channels = self.p, ((self.units - 1) * self.pixel // 4 + self.tail) * 4
        dense = np.zeros((self.kgroups * self.nr, channels, p.kh, p.kw), np.int8)
        dense[: p.co, : p.ci] = w
        packed = readable((self.kgroups, self.steps * self.nr * 4), np.int8)
        whole, at = (self.units - 1) * self.pixel, 0
        for part, words in ((dense[:, :whole], self.pixel // 4), (dense[:, whole:], self.tail)):
            by_word = part.reshape(self.kgroups, self.nr, -1, words, 4, p.kh, p.kw).transpose(0, 2, 5, 6, 3, 1, 4)
            size = by_word[0].size
            packed[:, at : at + size].reshape(by_word.shape)[...] = by_word
            at += size
        return packed

    def start(self, w: np.ndarray, bias: np.ndarray | None, low: int) -> np.ndarray:
        """i32 [kgroups * nr]: bias + low * sum(w), what the sums begin with."""
        first = np.zeros(self.kgroups * self.nr, np.int64)
        first[: self.p.co] = low * w.sum((1, 2, 3), dtype=np.float64).astype(np.int64)
        if bias is not None:
            first[: self.p.co] += bias.astype(np.int64)
        return first.astype(np.int32)

    @property
    def splits(self) -> int:
        """Items of a chunk, each with its own channels: where threads share badly without."""
        return min(self.kgroups, 2 * self.threads) if self.busiest(1) > cost.UNEVEN else 1

    def busiest(self, splits: int) -> float:
        return cost.busiest(self.pieces, self.chunk, self.p.n, splits, self.threads)

    @property
    def tiles(self) -> int:
        return self.strips * (1 if self.flat else self.p.oh) * self.p.n

    @property
    def macs(self) -> int:
        """In whole register tiles."""
        return self.tiles * self.rows * self.kgroups * self.nr * self.steps * 4

    @property
    def time_s(self) -> float:
        p, core = self.p, cost.core("avx512")
        products = core.products_s(self.macs / WORDS_A_STEP, (self.rows, self.cols))
        stores = self.tiles * self.rows * self.kgroups * self.cols * STORE_VECTOR_S
        band = p.n * self.units * p.h * p.w * self.pixel / 16 * self.splits * BAND_VECTOR_S
        streamed = cost.stream_s(self.kgroups * self.steps * self.nr * 4, p.n * self.chunks)
        return cost.ROW_S + self.busiest(self.splits) * (band + stores + cost.overlap_s(products, streamed))
