"""How Strassen's algorithm covers a 1x1 convolution: quarters and their signs, chunks, packed weights, and the cost."""

import itertools
from dataclasses import dataclass

import numpy as np

from tinycnn.ir.memory import readable
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cpu import cost
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.cpu.panels import panels
from tinycnn.kernels.lowering import blocks

# How much faster than L2 outputs are, which the products of one column share: they are in L1.
OUTPUTS_RATE = 3

# Quarters of x and w that a product multiplies the sums of, with their signs: by even and odd pixels and the halves of
# input channels, and by these halves and even and odd vectors of output channels.
X = ((1, 0, 0, 1), (1, 0, 0, 0), (0, 0, 1, 1), (0, 0, 0, 1), (1, 1, 0, 0), (-1, 0, 1, 0), (0, 1, 0, -1))
W = ((1, 0, 0, 1), (0, 1, 0, -1), (1, 0, 0, 0), (-1, 0, 1, 0), (0, 0, 0, 1), (1, 1, 0, 0), (0, 0, 1, 1))
# The two quarters of y that it is added to, and how.
NONE, SET, ADD, SUBTRACT, LAST = range(WAYS := 5)
Y = (
    ((0, SET), (3, SET)),
    ((1, SET), (3, ADD)),
    ((2, SET), (3, SUBTRACT)),
    ((0, ADD), (2, LAST)),
    ((0, SUBTRACT), (1, LAST)),
    ((3, LAST), (0, NONE)),
    ((0, LAST), (0, NONE)),
)


@dataclass(frozen=True)
class Plan:
    """How register tiles cover the even and the odd pixels, `chunk` of each at a time."""

    p: ConvProblem
    isa: str
    rows: int
    cols: int
    threads: int

    @property
    def lanes(self) -> int:
        return ISAS[self.isa].lanes

    @property
    def pixels(self) -> int:
        return self.p.oh * self.p.ow

    @property
    def tiles(self) -> int:
        """Of pairs of neighbouring pixels."""
        return -(-self.pixels // (2 * self.rows))

    @property
    def cblocks(self) -> int:
        """Of half the input channels."""
        return blocks(self.p.ci, self.lanes) // 2

    @property
    def kgroups(self) -> int:
        """Of half the output channels."""
        return blocks(self.p.co, self.lanes) // 2 // self.cols

    @property
    def slices(self) -> int:
        """Of the columns, one a thread, where there are more than of inputs: most likely what reads the outputs shares
        out channels, too. Else threads share out pixels."""
        return self.threads if self.p.co > self.p.ci and self.kgroups % self.threads == 0 else 1

    @property
    def chunk(self) -> int:
        per_tile = len(X) * self.rows * self.p.ci // 2 * 4
        return min(self.tiles, max(1, cost.caches().l2_bytes // per_tile))

    @property
    def scratch_bytes(self) -> int:
        return len(X) * self.cblocks * self.chunk * self.rows * self.lanes * 4

    @property
    def w_bytes(self) -> int:
        return len(X) * self.p.ci * self.p.co

    @property
    def macs(self) -> int:
        """Of the products, in whole register tiles."""
        return self.p.n * self.tiles * self.rows * len(X) * self.p.ci * self.p.co // 4

    @property
    def time_s(self) -> float:
        core, caches = cost.core(self.isa), cost.caches()
        units, vectors = self.p.n * self.tiles * self.kgroups, self.rows * 4 * self.lanes
        edges = [units * thread // self.threads for thread in range(self.threads + 1)]
        shares = list(itertools.pairwise(edges))
        inner = self.kgroups // self.slices
        sums = max(-(-last // inner) - first // inner for first, last in shares) * self.threads
        busiest = max(last - first for first, last in shares) * self.threads / units
        summed = sums * vectors * (7 + len(X)) * self.cblocks / caches.l2
        written = vectors * 2 * sum(how != NONE for to in Y for _, how in to) * self.cols / caches.l2 / OUTPUTS_RATE
        products = core.products_s(self.macs, (self.rows, self.cols))
        streamed = cost.stream_s(self.w_bytes, self.p.n * -(-self.tiles // self.chunk))
        return cost.ROW_S + summed + busiest * (units * written + cost.overlap_s(products, streamed))

    def pack(self, w: np.ndarray) -> np.ndarray:
        """[co, ci, 1, 1] -> [kgroups][product][ci / 2][nr]; even and odd vectors of columns, whatever the tile."""
        ci, nr = self.p.ci // 2, self.cols * self.lanes
        packed = readable((self.kgroups, len(W), ci, nr))
        halves = w.reshape(self.kgroups, self.cols, 2, self.lanes, 2, ci)
        for to, group in zip(packed, halves.transpose(0, 4, 2, 1, 3, 5), strict=True):
            quarters = panels(group.reshape(4, nr, ci), nr)
            np.matmul(np.array(W, np.float32), quarters.reshape(4, -1), out=to.reshape(len(W), -1))
        return packed

    def pack_bias(self, bias: np.ndarray) -> np.ndarray:
        """[co] -> [kgroups][even, odd][nr]."""
        vectors = bias.astype(np.float32).reshape(self.kgroups, self.cols, 2, self.lanes)
        return np.ascontiguousarray(vectors.swapaxes(1, 2))
