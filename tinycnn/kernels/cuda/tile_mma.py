"""A block's matrix product on the tensor cores: C[m, n] += A[m, k] B[k, n] in TF32, BF16 or F16, with sums in f32.

Each warp has tm x tn results, in pieces of 16 x 8 that one `mma` computes from 8 words a row of A and column of B; a
word is one TF32 number or two of 16 bits, neighbours along k. Shared memory holds A in the order in which lanes read
it, four words each, and B as [k words, n], rows padded so that the lanes of a warp meet 32 different banks.

Source: PTX ISA, warp-level matrix fragments for mma.m16n8k8 (.tf32) and mma.m16n8k16 (.f16, .bf16).
"""

from types import SimpleNamespace

import numpy as np

from tinycnn.kernels.cuda.simt import (
    compiled,
    cuda,
    load2,
    load4_i32,
    load_shared4_i32,
    load_shared_i32,
    mma,
    store2,
    store_shared4_i32,
    store_shared_i32,
    words,
)
from tinycnn.kernels.cuda.tuning import Tile

PAD = 8  # words behind a row of B


def tensor(tile: Tile) -> SimpleNamespace:
    """The device functions of a tile; as those of `simt`."""
    m, n, k, tm, tn, threads, a_bytes = tile.m, tile.n, tile.k, tile.tm, tile.tn, tile.threads, tile.a_bytes
    each = 1 if tile.precision == "tf32" else 2  # numbers of a word
    rows, depth, pitch = k // each, k // each // 8, n + PAD
    a_chunks, b_count = a_bytes // 16 // threads, k * n // threads
    b_words = b_count // each
    buffer_bytes = a_bytes + 4 * rows * pitch
    mi, nj, warps_across = tm // 16, tn // 8, n // tn
    a_words, b_pairs = 4 * mi, 2 * nj
    multiply_add, word = mma(tile.precision), words(tile.precision)

    @compiled
    def fetch_a(a, address, t):
        for i in range(a_chunks):
            a[4 * i], a[4 * i + 1], a[4 * i + 2], a[4 * i + 3] = load4_i32(address + 16 * (t + i * threads))

    @compiled
    def put_a(buffer, t, a):
        for i in range(a_chunks):
            values = (a[4 * i], a[4 * i + 1], a[4 * i + 2], a[4 * i + 3])
            store_shared4_i32(buffer + 16 * (t + i * threads), values)

    @compiled
    def put_b(buffer, t, b):
        address = buffer + a_bytes + 4 * (t // n * b_words * pitch + t % n)
        for i in range(b_words):
            store_shared_i32(address + 4 * pitch * i, word(b[each * i], b[each * i + each - 1]))

    @compiled
    def multiply(buffer, t, acc):
        warp, lane = t // 32, t % 32
        av = cuda.local.array(a_words, np.int32)
        bv = cuda.local.array(b_pairs, np.int32)
        a = buffer + 16 * (warp // warps_across * mi * 32 + lane)
        b = buffer + a_bytes + 4 * (lane % 4 * pitch + warp % warps_across * tn + lane // 4)
        for s in range(depth):
            for i in range(mi):
                at = a + 16 * 32 * (s * (m // 16) + i)
                av[4 * i], av[4 * i + 1], av[4 * i + 2], av[4 * i + 3] = load_shared4_i32(at)
            for j in range(nj):
                bv[2 * j] = load_shared_i32(b + 4 * (8 * s * pitch + 8 * j))
                bv[2 * j + 1] = load_shared_i32(b + 4 * ((8 * s + 4) * pitch + 8 * j))
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
        results=4 * mi * nj, rows=2 * mi, cols=nj, width=2, a_count=4 * a_chunks, b_count=b_count,
        buffer_bytes=buffer_bytes, shared_bytes=2 * buffer_bytes,
        a_numbers=np.int32, fetch_a=fetch_a, put_a=put_a, put_b=put_b, multiply=multiply, gather=gather,
        row_of=row_of, col_of=col_of, store_run=store_run, load_run=load2,
    )  # fmt: skip
