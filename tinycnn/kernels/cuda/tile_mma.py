"""A block's matrix product on the tensor cores: C[m, n] += A[m, k] B[k, n] in TF32, BF16 or F16, with sums in f32.

Each warp has tm x tn results, in pieces of 16 x 8 that one `mma` computes from 8 words a row of A and column of B; a
word is one TF32 number or two of 16 bits, neighbours along k. Shared memory holds A in the order in which lanes read
it, four words each, and B as f32 [k, n], rows padded so that the lanes of a warp meet 32 different banks; words are
made of it when it is read.

Source: PTX ISA, warp-level matrix fragments for mma.m16n8k8 (.tf32) and mma.m16n8k16 (.f16, .bf16).
"""

from types import SimpleNamespace

import numpy as np

from tinycnn.kernels.cuda.simt import (
    compiled,
    cuda,
    load2,
    load_shared,
    load_shared4_i32,
    mma,
    store2,
    words,
)
from tinycnn.kernels.cuda.tuning import Tile


def tensor(tile: Tile) -> SimpleNamespace:
    """The device functions of a tile; as those of `simt`."""
    m, n, k, tm, tn, threads, a_bytes = tile.m, tile.n, tile.k, tile.tm, tile.tn, tile.threads, tile.a_bytes
    each = 1 if tile.precision == "tf32" else 2  # numbers of a word
    depth, pitch = k // each // 8, n + 8 // each
    a_chunks, b_count = a_bytes // 16 // threads, k * n // threads
    buffer_bytes = a_bytes + 4 * k * pitch
    mi, nj, warps_across = tm // 16, tn // 8, n // tn
    a_words, b_pairs = 4 * mi, 2 * nj
    multiply_add, word = mma(tile.precision), words(tile.precision)

    @compiled
    def multiply(buffer, t, acc):
        warp, lane = t // 32, t % 32
        av = cuda.local.array(a_words, np.int32)
        bv = cuda.local.array(b_pairs, np.int32)
        a = buffer + 16 * (warp // warps_across * mi * 32 + lane)
        b = buffer + a_bytes + 4 * (lane % 4 * each * pitch + warp % warps_across * tn + lane // 4)
        for s in range(depth):
            for i in range(mi):
                at = a + 16 * 32 * (s * (m // 16) + i)
                av[4 * i], av[4 * i + 1], av[4 * i + 2], av[4 * i + 3] = load_shared4_i32(at)
            for j in range(nj):
                for half in range(2):
                    at = b + 4 * ((8 * s + 4 * half) * each * pitch + 8 * j)
                    bv[2 * j + half] = word(load_shared(at), load_shared(at + 4 * (each - 1) * pitch))
            for i in range(mi):
                for j in range(nj):
                    c, d = 2 * (2 * i * nj + j), 2 * ((2 * i + 1) * nj + j)
                    acc[c], acc[c + 1], acc[d], acc[d + 1] = multiply_add(
                        acc[c], acc[c + 1], acc[d], acc[d + 1],
                        av[4 * i], av[4 * i + 1], av[4 * i + 2], av[4 * i + 3], bv[2 * j], bv[2 * j + 1],
                    )  # fmt: skip

    @compiled
    def gather(base, t, acc):
        """Every thread has results."""
        return True

    @compiled
    def store_run(address, v):
        store2(address, (v[0], v[1]))

    @compiled
    def row_of(t, i):
        return t // 32 // warps_across * tm + 8 * i + t % 32 // 4

    @compiled
    def col_of(t, j):
        return t // 32 % warps_across * tn + 8 * j + t % 4 * 2

    return SimpleNamespace(
        results=4 * mi * nj, rows=2 * mi, cols=nj, width=2, a_chunks=a_chunks, b_count=b_count, b_pitch=4 * pitch,
        buffer_bytes=buffer_bytes, shared_bytes=tile.stages * buffer_bytes, multiply=multiply, gather=gather,
        row_of=row_of, col_of=col_of, load_run=load2, store_run=store_run,
    )  # fmt: skip
