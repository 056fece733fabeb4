"""What a processor can do at most: multiply-adds that never leave its registers, and bytes that it only reads."""

import functools
from collections.abc import Iterable
from types import SimpleNamespace

from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields


def chains(isa: str) -> int:
    """Independent sums, to hide the latency of a multiply-add: all registers but those of x and y."""
    return ISAS[isa].registers - 2


@functools.cache
def peak(isa: str) -> Kernel:
    """sums = sums * x + y, `count` times, in registers. Sums that began alike would be computed once, and a product of
    what does not change would leave the loop.

    operands  x[lanes], y[lanes], then what the sums begin with, [chains][lanes]
    """
    lanes, rows = ISAS[isa].lanes, chains(isa)
    vector = 4 * lanes

    def build():
        from tinycnn.kernels.cpu.tile import tiles

        tile = tiles(rows, 1, lanes)
        load, affine, store = tile.load, tile.affine, tile.store

        def peak(operands, sums, count, thread, threads):
            if thread == 0:
                acc = load(operands + 2 * vector, vector, vector)
                for _ in range(count):
                    acc = affine(acc, operands, operands + vector)
                store(acc, sums, vector, vector)

        return peak

    def ranges(a: SimpleNamespace) -> Iterable[Range]:
        return [Range("operands", 0, (rows + 2) * vector), Range("sums", 0, rows * vector, writes=True)]

    return Kernel(f"peak_f32__{isa}", fields("operands:addr sums:addr count"), build, ranges, isa)


LINES = 8  # vectors read at a time, each into a sum of its own
PREFETCH_BYTES = 1024


@functools.cache
def read(isa: str) -> Kernel:
    """sums[threads][lanes]: of x [blocks][LINES][lanes], each thread of its share."""
    lanes = ISAS[isa].lanes
    vector = 4 * lanes

    def build():
        from tinycnn.kernels.cpu.simd import prefetch, store, vectors

        v = vectors(lanes)
        load, splat = v.load, v.splat

        def read(x, sums, blocks, thread, threads):
            a = b = c = d = e = f = g = h = splat(0.0)
            for block in range(blocks * thread // threads, blocks * (thread + 1) // threads):
                at = x + block * LINES * vector
                for line in range(0, LINES * vector, 64):
                    prefetch(at + PREFETCH_BYTES + line)
                a = a + load(at)
                b = b + load(at + vector)
                c = c + load(at + 2 * vector)
                d = d + load(at + 3 * vector)
                e = e + load(at + 4 * vector)
                f = f + load(at + 5 * vector)
                g = g + load(at + 6 * vector)
                h = h + load(at + 7 * vector)
            store(sums + thread * vector, ((a + b) + (c + d)) + ((e + f) + (g + h)))

        return read

    def ranges(a: SimpleNamespace) -> Iterable[Range]:
        return [Range("x", 0, a.blocks * LINES * vector), Range("sums", 0, vector, writes=True, per_thread=True)]

    return Kernel(f"read_f32__{isa}", fields("x:addr sums:addr blocks"), build, ranges, isa)


def kernels(isa: str) -> Iterable[Kernel]:
    return [peak(isa), read(isa)]
