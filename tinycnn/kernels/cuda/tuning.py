"""Tile shapes and cost coefficients of the CUDA kernels, per compute capability."""

from collections.abc import Mapping
from dataclasses import dataclass

from tinycnn.kernels.cuda.device import Precision


@dataclass(frozen=True)
class Tile:
    """A block's share of a matrix product: m x n results, k rows at a time.

    tm, tn    results of a thread; on tensor cores m and n of a warp
    groups    sets of threads that share an m x n, each taking k / groups of the rows
    resident  blocks that a multiprocessor holds
    stages    slices of k rows in shared memory: one is multiplied, the others are on their way
    """

    m: int
    n: int
    k: int
    tm: int
    tn: int
    groups: int = 1
    resident: int = 2
    precision: Precision = "f32"
    stages: int = 3

    @property
    def threads(self) -> int:
        lanes = 1 if self.precision == "f32" else 32
        return self.m * self.n // (self.tm * self.tn) * lanes * self.groups

    @property
    def a_bytes(self) -> int:
        """Packed weights of a tile."""
        return self.m * self.k * (4 if self.precision in ("f32", "tf32") else 2)

    def __str__(self) -> str:
        return f"{self.m}x{self.n}"


SIMT_TILES = (
    Tile(128, 128, 8, 8, 8, stages=4),
    Tile(64, 128, 8, 8, 8, resident=4, stages=4),
    Tile(64, 64, 16, 4, 4, resident=3),
    Tile(32, 32, 32, 4, 4, 4, resident=3),
)


def tensor_tiles(precision: Precision) -> tuple[Tile, ...]:
    large, small = (8, 16) if precision == "tf32" else (16, 32)
    return (
        Tile(128, 128, large, 64, 32, precision=precision),
        Tile(64, 128, 16, 64, 32, resident=3, precision=precision),
        Tile(64, 64, 16, 32, 32, resident=4, precision=precision),
        Tile(32, 64, small, 16, 32, resident=4, precision=precision),
    )


TILES: Mapping[Precision, tuple[Tile, ...]] = {
    "f32": SIMT_TILES,
    "tf32": tensor_tiles("tf32"),
    "bf16": tensor_tiles("bf16"),
    "f16": tensor_tiles("f16"),
}

# Parts that the rows of a product may be split into, to be summed afterwards, and the fewest steps of a part.
SPLITS = (1, 2, 3, 4, 6, 8, 12, 16)
LEAST_STEPS = 4

# Multiply-adds a second of one multiprocessor at full speed, the share of it that tiles reach when blocks are plenty,
# and the share when a block is alone on its multiprocessor.
CLOCK = 1.755e9
PEAK_MACS: Mapping[Precision, float] = {
    "f32": 128 * CLOCK, "tf32": 1024 * CLOCK, "bf16": 2048 * CLOCK, "f16": 2048 * CLOCK,
}  # fmt: skip
SIMT_EFFICIENCY = {(128, 128): (0.68, 0.5), (64, 128): (0.62, 0.35), (64, 64): (0.5, 0.35), (32, 32): (0.38, 0.25)}
TENSOR_EFFICIENCY = {(128, 128): (0.22, 0.12), (64, 128): (0.2, 0.08), (64, 64): (0.14, 0.06), (32, 64): (0.09, 0.04)}
EFFICIENCY: Mapping[Precision, Mapping[tuple[int, int], tuple[float, float]]] = {
    "f32": SIMT_EFFICIENCY, "tf32": TENSOR_EFFICIENCY, "bf16": TENSOR_EFFICIENCY, "f16": TENSOR_EFFICIENCY,
}  # fmt: skip

# Seconds of a block before its first product and after its last.
BLOCK_S = 1.2e-6

# Bytes a second that the device's memory moves, and seconds that a row takes at least.
MEMORY_BANDWIDTH = 4.0e12
ROW_S = 2e-6


def transfer_s(nbytes: int) -> float:
    """Predicted seconds to move `nbytes`, read and written together."""
    return ROW_S + nbytes / MEMORY_BANDWIDTH


# Bytes a second from the device's cache, and bytes of it that one kernel's intermediate results may fill.
CACHE_BANDWIDTH = 5.5e12
L2_BYTES = 24 << 20

# The tile of products whose operands are both computed.
MATMUL_TILE = Tile(64, 64, 16, 4, 4, resident=3)

# Pooling windows with kernels of their own: size, stride, and rows of outputs that a thread computes.
POOL_WINDOWS = ((2, 2, 1), (3, 1, 4), (3, 2, 2))

# Channels that LRN sums up, with kernels of their own.
LRN_SIZES = (5,)

# Windows of depthwise convolutions with kernels of their own: size, stride, and rows of outputs that a thread computes.
DEPTHWISE_WINDOWS = ((3, 1, 4), (3, 2, 2), (5, 1, 4), (5, 2, 2), (7, 1, 4))
# Share of PEAK_MACS that they reach: as many loads as products.
DEPTHWISE_EFFICIENCY = 0.2


@dataclass(frozen=True)
class DirectTile:
    """A thread's share of a direct convolution: `cols` channels, a multiple of 4, of `rows` outputs below each other.

    kh, stride  height and vertical stride of the window that it is compiled for, undilated; 0 for any
    efficiency  share of PEAK_MACS when blocks are plenty, and when one is alone on its multiprocessor
    """

    cols: int
    rows: int
    efficiency: tuple[float, float]
    kh: int = 0
    stride: int = 0

    @property
    def window(self) -> str:
        return f"_h{self.kh}_s{self.stride}" if self.kh else ""


DIRECT_WINDOWS = ((3, 1), (3, 2), (5, 1), (5, 2), (7, 2), (11, 4))
DIRECT_TILES = (
    DirectTile(4, 4, (0.25, 0.15)),
    DirectTile(8, 4, (0.35, 0.2)),
    DirectTile(8, 1, (0.15, 0.1)),
    *(DirectTile(4, 4, (0.45, 0.25), *window) for window in DIRECT_WINDOWS),
    *(DirectTile(8, 4, (0.6, 0.3), *window) for window in DIRECT_WINDOWS[:-1]),
)
# The most input channels of a group that direct convolution is offered for.
DIRECT_CHANNELS = 32
