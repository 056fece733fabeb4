"""What one core of this machine can do at most: multiply-adds of one register tile whose operands stay in L1."""

import ctypes
import functools
import time
from types import SimpleNamespace

import numpy as np

from tinycnn.kernels.cpu import native, tuning
from tinycnn.kernels.cpu.isa import ISAS, Isa
from tinycnn.kernels.kernel import Kernel, Range, fields

STEPS, REPEATS = 256, 20_000


def tile_kernel(isa: str, rows: int, cols: int) -> Kernel:
    """`repeats` times `steps` rank-1 updates of the same operands: a [steps][rows], b [steps][cols * lanes]."""
    lanes = ISAS[isa].lanes

    def build():  # type: ignore[no-untyped-def]
        from tinycnn.kernels.cpu.tile import tiles

        tile = tiles(rows, cols, lanes)
        zeros, update, store = tile.zeros, tile.update, tile.store

        def peak(a, b, c, steps, repeats, thread, threads):
            acc = zeros()
            for _ in range(repeats):
                for k in range(steps):
                    acc = update(acc, a + k * rows * 4, 4, b + k * cols * lanes * 4)
            store(acc, c, cols * lanes * 4, lanes * 4)

        return peak

    def ranges(v: SimpleNamespace) -> list[Range]:
        size = 4 * cols * lanes
        return [
            Range("a", 0, v.steps * rows * 4),
            Range("b", 0, v.steps * size),
            Range("c", 0, rows * size, writes=True),
        ]

    name = f"peak_f32_{rows}x{cols}__{isa}"
    return Kernel(name, fields("a:addr b:addr c:addr steps repeats"), build, ranges, isa)


@functools.cache
def peak_gflops(isa: Isa) -> float:
    """GFLOP/s of one thread, two for each multiply-add: the best tile's best of five."""
    best = 0.0
    for rows, cols in tuning.TILES[isa.name]:
        kernel = tile_kernel(isa.name, rows, cols)
        address = native.load(kernel, native.machine_code(kernel))
        entry = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(address)
        a, b, c = (
            np.zeros(size, np.float32) for size in (STEPS * rows, STEPS * cols * isa.lanes, rows * cols * isa.lanes)
        )
        row = np.array([a.ctypes.data, b.ctypes.data, c.ctypes.data, STEPS, REPEATS], np.int64)
        for _ in range(5):
            start = time.perf_counter()
            entry(row.ctypes.data, 0, 1)
            best = max(best, 2e-9 * rows * cols * isa.lanes * STEPS * REPEATS / (time.perf_counter() - start))
    return best
