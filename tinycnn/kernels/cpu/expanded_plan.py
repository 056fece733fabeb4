"""How strips of output rows cover a 1x1 convolution and the depthwise one that follows, and what they cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cpu import conv_grouped, cost, tuning
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.lowering import blocks


@dataclass(frozen=True)
class Plan:
    """p: the depthwise convolution; ci: channels of the other's input; variant: see `conv_grouped.variants`."""

    p: ConvProblem
    ci: int
    isa: str
    threads: int
    variant: tuple[int, int, int, int]

    @property
    def lanes(self) -> int:
        return ISAS[self.isa].lanes

    @property
    def tile_rows(self) -> int:
        """Pixels of a register tile of the 1x1 convolution."""
        return tuning.EXPANSION_ROWS[self.isa]

    def rows(self, strip: int) -> int:
        """Of the 1x1 convolution's results, at most, for so many output rows."""
        p = self.p
        return min(p.h, (strip - 1) * p.sh + (p.kh - 1) * p.dh + 1)

    @cached_property
    def strip(self) -> int:
        """Output rows of which the input stays in L2 while one block of channels after another is made of it."""
        row_bytes = 4 * self.p.w * self.lanes * (blocks(self.ci, self.lanes) + 1)
        fitting = [s for s in range(1, self.p.oh + 1) if self.rows(s) * row_bytes <= cost.caches().l2_bytes]
        return cost.even_size(self.p.oh, max(fitting, default=1), self.p.n, self.threads)

    @property
    def strips(self) -> int:
        return -(-self.p.oh // self.strip)

    @property
    def band_bytes(self) -> int:
        return 4 * self.lanes * self.p.w * self.rows(self.strip)

    def pixels(self) -> Iterator[int]:
        """Of each strip, for which the 1x1 convolution is computed."""
        p = self.p
        for first in range(0, p.oh, self.strip):
            last = min(p.oh, first + self.strip)
            begin = min(p.h, max(0, first * p.sh - p.pt))
            yield p.w * max(0, min(p.h, (last - 1) * p.sh - p.pt + (p.kh - 1) * p.dh + 1) - begin)

    @property
    def expansion_macs(self) -> int:
        """In whole register tiles."""
        tiles = sum(-(-pixels // self.tile_rows) for pixels in self.pixels())
        return self.p.n * tiles * self.tile_rows * self.ci * blocks(self.p.co, self.lanes) * self.lanes

    @property
    def depthwise_macs(self) -> int:
        return conv_grouped.macs(self.p, self.variant[0], self.lanes)

    @property
    def time_s(self) -> float:
        core, taps = cost.core(self.isa), self.variant[1]
        depthwise = self.depthwise_macs / (core.peak_macs * core.grouped[0][taps > 1])
        busiest = cost.busiest(self.p.oh, self.strip, self.p.n, 1, self.threads)
        return cost.ROW_S + busiest * (core.products_s(self.expansion_macs, (self.tile_rows, 1)) + depthwise)
