"""The cost model: predicted seconds of one thread, from which the planner picks algorithms, tiles and blocks.

Coefficients belong to a kind of processor, not to an instruction set: the same AVX-512 instructions take one cycle or
two. `tinycnn tune` measures what these predict.
"""

import functools
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tinycnn.kernels.cpu.isa import cpuinfo

# Seconds to begin a row: the barrier and the first misses.
ROW_S = 0.3e-6

# How much more than an even share a thread may have before items are split, at the price of work done twice.
UNEVEN = 1.08

# Numbers of items among which the one that threads share best is looked for.
MOST_TRIED = 16

# Seconds more that a register tile takes of which halves are multiplied apart.
HALVED_S = 40e-9

# Loop overhead of one run of rank-1 updates, in updates.
RUN_OVERHEAD = 0.25


@dataclass(frozen=True)
class Core:
    """What one core computes by one instruction set.

    peak_macs          multiply-adds a second, when a full tile runs from L1
    tiles              share of the peak that a full register tile (rows, cols) reaches
    winograd_vector_s  seconds to bring one vector through the input or output transform, by the size of a tile
    grouped            share of the peak of a tile of small groups, with separate and with shared input vectors: groups
                       of one channel, and of more, whose vectors cross cache lines
    im2col_run_s       seconds to gather one run of neighbours
    im2col_scatter_s   seconds to store the part of a pixel's channels that one group computes
    half               multiply-adds a second in vectors of half the width, over those in whole ones
    """

    peak_macs: float
    tiles: Mapping[tuple[int, int], float]
    winograd_vector_s: Mapping[int, float]
    grouped: tuple[tuple[float, float], tuple[float, float]] = ((0.5, 0.85), (0.3, 0.8))
    im2col_run_s: float = 1.2e-9
    im2col_scatter_s: float = 6e-9
    half: float = 0.5

    def products_s(self, macs: float, tile: tuple[int, int]) -> float:
        """For multiply-adds in whole register tiles."""
        return macs / (self.peak_macs * self.tiles[tile])


@dataclass(frozen=True)
class Caches:
    """Bytes a second of one core from main memory, the last level cache and L2; bytes of each cache that the working
    set of one thread, of one session in the last level, may fill."""

    memory: float
    l3: float
    l2: float
    l1_bytes: int
    l2_bytes: int
    l3_bytes: int


XEON = Core(
    95e9,
    {(14, 2): 0.90, (9, 3): 0.84, (8, 3): 0.82, (7, 3): 0.88}
    | {(13, 1): 0.68, (14, 1): 0.70, (16, 1): 0.70, (25, 1): 0.72},
    {4: 1.5e-9, 6: 1.5e-9, 7: 1.8e-9, 8: 2.0e-9},
)
ZEN4 = Core(
    58e9,
    {(14, 2): 0.95, (9, 3): 0.92, (8, 3): 0.93, (7, 3): 0.90}
    | {(13, 1): 0.94, (14, 1): 0.97, (16, 1): 0.96, (25, 1): 0.96},
    {4: 1.5e-9, 6: 1.5e-9, 7: 1.8e-9, 8: 2.0e-9},
    half=0.95,
)
AVX2 = Core(48e9, {(6, 2): 0.92, (12, 1): 0.80, (4, 3): 0.90}, {4: 1.5e-9, 6: 1.5e-9, 7: 1.8e-9, 8: 2.0e-9})
PORTABLE = Core(12e9, {(6, 2): 0.90, (12, 1): 0.80, (4, 3): 0.90}, {4: 1.5e-9, 6: 1.5e-9, 7: 1.8e-9, 8: 2.0e-9})

XEON_CACHES = Caches(11e9, 25e9, 60e9, 28 << 10, 1 << 20, 24 << 20)
ZEN4_CACHES = Caches(25e9, 40e9, 80e9, 28 << 10, 1 << 19, 24 << 20)


@functools.cache
def is_zen4() -> bool:
    """Whether this is AMD's family 25, whose vector units are 256 bits wide."""
    told = dict(re.findall(r"^(vendor_id|cpu family)\s*:\s*(\w+)", cpuinfo(), re.M))
    return told == {"vendor_id": "AuthenticAMD", "cpu family": "25"}


def core(isa: str) -> Core:
    if isa == "avx512":
        return ZEN4 if is_zen4() else XEON
    return AVX2 if isa == "avx2" else PORTABLE


def caches() -> Caches:
    return ZEN4_CACHES if is_zen4() else XEON_CACHES


def transfer_s(nbytes: int) -> float:
    """To move `nbytes`, read and written together."""
    c = caches()
    rate = c.l2 if nbytes <= c.l2_bytes else c.l3 if nbytes <= c.l3_bytes else c.memory
    return ROW_S + nbytes / rate


def stream_s(nbytes: int, passes: float) -> float:
    """To read weights `passes` times: from memory first, then from the last cache that holds them."""
    c = caches()
    return nbytes / c.memory + max(0.0, passes - 1) * nbytes / (c.l3 if nbytes <= c.l3_bytes else c.memory)


@functools.cache
def busiest(total: int, size: int, copies: int, splits: int, threads: int) -> float:
    """Work of the busiest thread over an even share, 1 or more, where threads take equal numbers of neighbouring items.

    There are `copies` of `total` pieces, in items of `size` pieces, the last of each copy smaller, and each item is
    split in `splits`.
    """
    chunks = -(-total // size)

    def before(item: int) -> float:
        (copy, chunk), split = divmod(item // splits, chunks), item % splits
        here = min(size, total - chunk * size)
        return copy * total + chunk * size + here * split / splits

    items = copies * chunks * splits
    edges = [before(items * t // threads) if t < threads else copies * total for t in range(threads + 1)]
    return max(b - a for a, b in itertools.pairwise(edges)) * threads / (copies * total)


@functools.cache
def even_size(total: int, most: int, copies: int, threads: int) -> int:
    """Pieces of an item, `most` or fewer, of which threads get equal shares as far as possible; large if it can be."""
    fewest = -(-total // min(total, most))
    sizes = [
        -(-total // chunks) for chunks in range(fewest, fewest + (min(2 * threads, MOST_TRIED) if threads > 1 else 1))
    ]
    return min(sizes, key=lambda size: busiest(total, size, copies, 1, threads))


def overlap_s(compute_s: float, stream_s: float) -> float:
    """Arithmetic while its weights are prefetched: the longer, and a quarter of the shorter."""
    return max(compute_s, stream_s) + min(compute_s, stream_s) / 4
