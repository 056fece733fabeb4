"""Products of matrices of bytes: of integers that floats hold, where the processor multiplies bytes.

    y[m][n] = scale clamp(round(factor (start[n] + (a - low)[m][k] . b[k][n])), lo, hi)

A few rows of a at a time become bytes in memory of this thread's own. Each is multiplied with columns of b, which are
packed as they are read. See `conv_bytes.py` for what the sums begin with.
"""

import functools
from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np

from tinycnn.ir.memory import readable
from tinycnn.kernels.cpu import conv, cost
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Request, blocks, lowers

LANES, COLS = 16, 8
NR, NR_BYTES = COLS * LANES, 4 * COLS * LANES
ROWS = 64  # of a, that are bytes at a time
FIELDS = fields(
    "a:addr b:addr start:addr factor:addr y:addr scratch:addr lo:f32 hi:f32 scale:f32 low:signed m n k scratch_bytes"
)


def scratch_bytes(m: int, k: int) -> int:
    """Rows of a, then one tile."""
    return min(m, ROWS) * blocks(k, 64) * 64 + NR_BYTES


@functools.cache
def kernel(isa: str) -> Kernel:
    def build():
        from tinycnn.kernels.cpu.simd import store_part, vectors
        from tinycnn.kernels.cpu.tile import tiles
        from tinycnn.kernels.cpu.tile_bytes import store_bytes, sums

        tile, stored, load = sums(1, COLS, 0), tiles(1, COLS, LANES), vectors(LANES).load
        begin, update, floats = tile.begin, tile.update, tile.floats
        requantize, store_tile = stored.requantize, stored.store

        def gemm_bytes(
            a, b, start, factor, y, scratch, lo, hi, scale, low, m, n, k, scratch_bytes, thread, threads
        ):  # fmt: skip
            words, row_bytes = (k + 3) // 4, (k + 63) // 64 * 64
            columns = (n + NR - 1) // NR
            first, last = columns * thread // threads, columns * (thread + 1) // threads
            spill = scratch + thread * scratch_bytes
            bytes_of_a = spill + NR_BYTES
            for row in range(0, m if first < last else 0, ROWS):
                rows = min(ROWS, m - row)
                for i in range(rows):
                    for p in range(0, k, LANES):
                        store_bytes(bytes_of_a + i * row_bytes + p, a + ((row + i) * k + p) * 4, low)
                for column in range(first, last):
                    for i in range(rows):
                        acc = begin(start + column * NR_BYTES)
                        source, weights = bytes_of_a + i * row_bytes, b + column * words * NR_BYTES
                        for p in range(words):
                            acc = update(acc, source + p * 4, weights + p * NR_BYTES)
                        result = requantize(floats(acc), factor + column * NR_BYTES, lo, hi, scale)
                        to, count = y + ((row + i) * n + column * NR) * 4, n - column * NR
                        if count >= NR:
                            store_tile(result, to, NR_BYTES, 4 * LANES)
                        else:
                            store_tile(result, spill, NR_BYTES, 4 * LANES)
                            for c in range(0, count, LANES):
                                store_part(to + 4 * c, count - c, load(spill + 4 * c))

        return gemm_bytes

    features = ",".join(f"+{flag}" for flag in ISAS[isa].dot)
    return Kernel(f"gemm_bytes_f32_1x{COLS}__{isa}", FIELDS, build, ranges, isa, features=features)


def ranges(a: SimpleNamespace) -> Iterable[Range]:
    require_positive(a, "m n k")
    require(scratch_bytes(a.m, a.k) <= a.scratch_bytes, "the scratch is too small")
    columns = blocks(a.n, NR)
    yield Range("a", 0, 4 * (a.m * a.k + LANES - 1))
    yield Range("b", 0, columns * blocks(a.k, 4) * NR_BYTES)
    yield Range("start", 0, columns * NR_BYTES)
    yield Range("factor", 0, columns * NR_BYTES)
    yield Range("scratch", 0, a.scratch_bytes, writes=True, per_thread=True)
    yield Range("y", 0, 4 * a.m * a.n, writes=True)


def kernels(isa: str) -> Iterable[Kernel]:
    return [kernel(isa)] if ISAS[isa].multiplies_bytes else []


def pack(b: np.ndarray) -> np.ndarray:
    """[k, n] as i8 [columns][words][NR][4], zeros behind k and n."""
    k, n = b.shape
    dense = np.zeros((blocks(k, 4) * 4, blocks(n, NR) * NR), np.int8)
    dense[:k, :n] = b
    packed = readable((dense.shape[1] // NR, dense.shape[0] // 4, NR, 4), np.int8)
    packed[...] = dense.reshape(-1, 4, dense.shape[1] // NR, NR).transpose(2, 0, 3, 1)
    return packed


def start(b: np.ndarray, c: np.ndarray | None, low: int) -> np.ndarray:
    """i32 [columns * NR]: c + low * sum(b), what the sums begin with."""
    first = np.zeros(blocks(b.shape[1], NR) * NR, np.int64)
    first[: b.shape[1]] = low * b.sum(0, dtype=np.float64).astype(np.int64)
    if c is not None:
        first[: b.shape[1]] += c.reshape(-1).astype(np.int64)
    return first.astype(np.int32)


def emit(r: Request, b: np.ndarray, e: Emitter) -> None:
    (k, n), m, low, c = b.shape, r.outputs[0].dims[0], r.op.low, r.values[2]
    scratch = e.apart(scratch_bytes(m, k))
    e.row(
        kernel(r.target.name),
        a=e.input(0),
        b=e.weights("bytes", lambda: pack(b)),
        start=e.weights(f"start {low}", lambda: start(b, c, low)),
        y=e.output(),
        scratch=scratch,
        low=low,
        m=m,
        n=n,
        k=k,
        scratch_bytes=scratch.stride,
        **conv.requantization(e, r, blocks(n, NR) * NR),
    )


@lowers("IntegerGemm")
def by_bytes(r: Request) -> Iterable[Choice]:
    b, c = r.values[1], r.inputs[2]
    if b is None or r.values[3] is None or not r.target.multiplies_bytes or (c is not None and r.values[2] is None):
        return
    b = b.T if r.op.transB else b
    macs = r.outputs[0].dims[0] * blocks(b.shape[1], NR) * NR * blocks(b.shape[0], 4) * 4
    products_s = macs / (2 * cost.core(r.target.name).peak_macs)
    time_s = cost.ROW_S + cost.overlap_s(products_s, cost.transfer_s(b.size))
    reason = f"{b.size:,} bytes of weights"
    run = functools.partial(emit, r, b)
    yield Choice("bytes", ["plain", None, None, None], "plain", time_s, reason, run, macs=macs)
