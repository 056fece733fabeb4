"""Every tile size of the CPU kernels, per instruction set, and what else is compiled into them or decides their use.

Times are predicted by `cost.py`. Measured by `python bench/bench_kernels.py`.
"""

from collections.abc import Mapping

# Register tiles (rows, cols) of matrix-product kernels: rows * cols accumulators, cols weight vectors, one broadcast.
# (25, 1) covers 7 x 7 pixels by two.
TILES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "avx512": ((14, 2), (14, 1), (25, 1), (9, 3), (7, 3)),
    "avx2": ((6, 2), (12, 1), (4, 3)),
    "portable": ((6, 2), (12, 1), (4, 3)),
}

# Rows of the tiles of direct convolution whose strips are halved.
HALVED_ROWS: Mapping[str, tuple[int, ...]] = {"avx512": (14,), "avx2": (), "portable": ()}

# Rows of a tile from which its weights may come from L2 rather than L1.
L2_ROWS = 12

# Register tiles of Winograd's matrix products: few rows too, since small maps have few tiles. (16, 1) and (25, 1) are
# for the 4 x 4 and 7 x 7 tiles of maps of 14 and 28 pixels.
WINOGRAD_TILES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "avx512": ((14, 2), (14, 1), (16, 1), (25, 1), (8, 3), (9, 3), (7, 3)),
    "avx2": ((6, 2), (4, 3)),
    "portable": ((6, 2), (4, 3)),
}

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

# Pixels of a register tile of 1x1 convolutions before depthwise ones.
EXPANSION_ROWS: Mapping[str, int] = {"avx512": 14, "avx2": 12, "portable": 12}

# Elements of one piece of elementwise work: small enough for L1, large enough to hide the loop around it.
CHUNK = 2048

# Register tile (rows, cols) of matrix products, the price of a single row in rows of a tile, and how far ahead of its
# use a single row asks for the second operand.
GEMM_TILES: Mapping[str, tuple[int, int]] = {"avx512": (14, 2), "avx2": (6, 2), "portable": (6, 2)}
GEMM_ROW_COST = 5.0
GEMM_PREFETCH_BYTES = 1024
GEMM_EFFICIENCY = 0.9

# Dense layers whose weights lie as in the model: from how many bytes on they are preferred to panels, which are read
# faster, but have to be packed and kept; how far ahead they are asked for; the share of the peak within caches; the
# factors by which reading them takes longer, below and from that size on.
DENSE_BYTES = 16 << 20
DENSE_PREFETCH_BYTES = 256
DENSE_EFFICIENCY = 0.3
DENSE_STREAM = (1.3, 0.95)

# Seconds a byte to pack a computed matrix into panels.
PACK_BYTE_S = 0.15e-9

# Register tiles of im2col: for groups of more output channels than a vector has lanes, and for smaller ones.
IM2COL_TILES: Mapping[str, tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]] = {
    "avx512": (((14, 2), (14, 1), (25, 1), (7, 3)), ((14, 1), (25, 1))),
    "avx2": (((6, 2),), ((12, 1),)),
    "portable": (((6, 2),), ((12, 1),)),
}

# Register tiles of Strassen's products.
STRASSEN_TILES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "avx512": ((14, 2), (13, 1), (14, 1), (25, 1)),
    "avx2": ((6, 2),),
    "portable": ((6, 2),),
}

# Register tiles of convolutions into the plain layout, as (channels, output rows), and the accumulators that it takes
# to keep the multipliers busy.
PLAIN_TILES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "avx512": ((1, 8), (3, 4), (6, 2), (6, 1), (9, 2)),
    "avx2": ((1, 8), (3, 4), (6, 2), (6, 1)),
    "portable": ((1, 8), (3, 4), (6, 2), (6, 1)),
}
PLAIN_ACCUMULATORS = 8
