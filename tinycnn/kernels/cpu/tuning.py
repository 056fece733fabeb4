"""Every tile size and cost coefficient of the CPU kernels, per instruction set.

Measured by `python bench/bench_kernels.py` on an Intel Xeon (AVX-512, 2 MB L2) unless a row says otherwise.
"""

from collections.abc import Mapping

# Register tiles (rows, cols) of matrix-product kernels: rows * cols accumulators, cols weight vectors, one broadcast.
TILES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "avx512": ((14, 2), (14, 1), (9, 3), (7, 3)),
    "avx2": ((6, 2), (12, 1), (4, 3)),
    "portable": ((6, 2), (12, 1), (4, 3)),
}

# Multiply-adds a second of one core when a full tile runs from cache.
PEAK_MACS: Mapping[str, float] = {"avx512": 95e9, "avx2": 48e9, "portable": 12e9}

# Bytes a second of one core: streaming from memory, and within L2.
MEMORY_BANDWIDTH = 11e9
CACHE_BANDWIDTH = 60e9

# Bytes of L2 that one thread's working set may fill.
L2_BYTES = 1 << 20

# Bytes of L1 that the weights of a tile may fill, and the tile rows from which weights may come from L2 instead.
L1_BYTES = 28 << 10
L2_ROWS = 12

# Share of the peak that a full tile reaches.
TILE_EFFICIENCY: Mapping[str, Mapping[tuple[int, int], float]] = {
    "avx512": {(14, 2): 0.90, (14, 1): 0.70, (9, 3): 0.84, (8, 3): 0.82, (7, 3): 0.88},
    "avx2": {(6, 2): 0.92, (12, 1): 0.80, (4, 3): 0.90},
    "portable": {(6, 2): 0.90, (12, 1): 0.80, (4, 3): 0.90},
}

# Loop overhead of one run of rank-1 updates, in updates.
RUN_OVERHEAD = 0.25

# Seconds to begin a row: the barrier and the first misses.
ROW_S = 0.3e-6


def transfer_s(nbytes: int) -> float:
    """Predicted seconds of one thread to move `nbytes`, read and written together."""
    if nbytes <= L2_BYTES:
        return ROW_S + nbytes / CACHE_BANDWIDTH
    return ROW_S + nbytes / (L3_BANDWIDTH if nbytes <= L3_BYTES else MEMORY_BANDWIDTH)


# Register tiles of Winograd's matrix products: few rows too, since small maps have few tiles.
WINOGRAD_TILES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "avx512": ((14, 2), (8, 3), (9, 3), (7, 3)),
    "avx2": ((6, 2), (4, 3)),
    "portable": ((6, 2), (4, 3)),
}

# Seconds to bring one vector through the input or output transform of F(m, 3).
WINOGRAD_VECTOR_S: Mapping[int, float] = {2: 1.5e-9, 4: 1.5e-9, 6: 2.0e-9}

# Bytes a second of one core from the last level cache.
L3_BANDWIDTH = 25e9

# Bytes of the last level cache that one session may count on.
L3_BYTES = 24 << 20


def stream_s(nbytes: int, passes: float) -> float:
    """Predicted seconds to read weights `passes` times: from memory first, then from the last cache that holds them."""
    again = L3_BANDWIDTH if nbytes <= L3_BYTES else MEMORY_BANDWIDTH
    return nbytes / MEMORY_BANDWIDTH + max(0.0, passes - 1) * nbytes / again


def overlap_s(compute_s: float, stream_s: float) -> float:
    """Predicted seconds of arithmetic while its weights are prefetched: the longer, and a quarter of the shorter."""
    return max(compute_s, stream_s) + min(compute_s, stream_s) / 4


# Convolution in small groups: outputs of one register tile, and by the channels of a group the (kernel width, stride)
# that have kernels of their own.
GROUPED_ROWS: Mapping[str, tuple[int, ...]] = {"avx512": (14, 7), "avx2": (7,), "portable": (7,)}
GROUPED_WINDOWS: Mapping[int, tuple[tuple[int, int], ...]] = {
    1: ((3, 1), (3, 2), (5, 1), (5, 2), (7, 1)),
    2: ((3, 1), (3, 2)),
    4: ((3, 1), (3, 2)),
    8: ((3, 1), (3, 2)),
    16: ((3, 1), (3, 2)),
}

# Bytes of L1 that the weights of a tile may fill, and the tile rows from which weights may come from L2 instead.
L1_BYTES = 28 << 10
L2_ROWS = 12

# Share of the peak that their tiles reach in cache, with separate and with shared input vectors: of groups of one
# channel, and of more, whose vectors cross cache lines (on an AMD EPYC with AVX-512).
GROUPED_EFFICIENCY: tuple[tuple[float, float], tuple[float, float]] = ((0.5, 0.85), (0.3, 0.8))

# Elements of one piece of elementwise work: small enough for L1, large enough to hide the loop around it.
CHUNK = 2048

# Register tile (rows, cols) of matrix products, the price of a single row in rows of a tile, and how far ahead of its
# use a single row asks for the second operand.
GEMM_TILES: Mapping[str, tuple[int, int]] = {"avx512": (14, 2), "avx2": (6, 2), "portable": (6, 2)}
GEMM_ROW_COST = 5.0
GEMM_PREFETCH_BYTES = 1024
GEMM_EFFICIENCY = 0.9

# Dense layers whose weights lie as in the model: how far ahead these are asked for, the share of the peak within
# caches, and the factor that prefers them to panels, which are read about as fast but have to be packed and kept.
DENSE_PREFETCH_BYTES = 256
DENSE_EFFICIENCY = 0.3
DENSE_STREAM = 0.95

# Seconds a byte to pack a computed matrix into panels.
PACK_BYTE_S = 0.15e-9

# Register tiles of im2col: for groups of more output channels than a vector has lanes, and for smaller ones.
IM2COL_TILES: Mapping[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "avx512": ((14, 2), (14, 1)),
    "avx2": ((6, 2), (12, 1)),
    "portable": ((6, 2), (12, 1)),
}

# Seconds to gather one run of neighbours, and to store the part of a pixel's channels that one group computes.
IM2COL_RUN_S = 1.2e-9
IM2COL_SCATTER_S = 6e-9
