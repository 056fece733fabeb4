"""A block's matrix product on the ordinary cores, in exact f32: C[m, n] += A[m, k] B[k, n], k rows at a time.

Threads form a grid of (m / tm) x (n / tn), each with tm x tn results in registers, four neighbours in each direction
at a time, so that operands come from shared memory in 16-byte loads without bank conflicts. With several k groups, each
takes its share of the rows, and group 0 adds the others' sums to its own in order.
"""

from types import SimpleNamespace

import numpy as np

from tinycnn.kernels.cuda.simt import (
    compiled,
    cuda,
    load4,
    load_shared4,
    store4,
    store_shared,
    store_shared4,
    unrolled,
)
from tinycnn.kernels.cuda.tuning import Tile

WARP_ROWS, WARP_COLS = 4, 8  # threads of a warp


def simt(tile: Tile) -> SimpleNamespace:
    """The device functions of a tile; see `engine`."""
    m, n, k, tm, tn, groups = tile.m, tile.n, tile.k, tile.tm, tile.tn, tile.groups
    rows, cols, threads = m // tm, n // tn, tile.threads
    warp_cols = cols // WARP_COLS
    a_bytes, b_bytes = 4 * m * k, 4 * k * n
    depth = k // groups
    a_chunks, b_count = m * k // 4 // threads, k * n // threads
    i4s, j4s = tm // 4, tn // 4

    @compiled
    def place(t):
        """Row and column of a thread in the grid, by 4 x 8 threads a warp, and its group.

        Neighbouring lanes share a column, those two apart a row: so halves of a warp are served together.
        """
        warp, lane = t // 32, t % 32
        group, warp = warp // (rows * cols // 32), warp % (rows * cols // 32)
        row, col = lane % 2 + lane // 16 * 2, lane // 2 % 8
        return warp // warp_cols * WARP_ROWS + row, warp % warp_cols * WARP_COLS + col, group

    @compiled
    def put_a(buffer, t, a):
        for i in range(a_chunks):
            store_shared4(buffer + 16 * (t + i * threads), (a[4 * i], a[4 * i + 1], a[4 * i + 2], a[4 * i + 3]))

    @compiled
    def put_b(buffer, t, b):
        address = buffer + a_bytes + 4 * (t // n * b_count * n + t % n)
        for i in range(b_count):
            store_shared(address + 4 * n * i, b[i])

    @compiled
    def update(k_row, state):
        """acc += av bv, one row of A and B in shared memory."""
        a, b, acc = state
        av = cuda.local.array(tm, np.float32)
        bv = cuda.local.array(tn, np.float32)
        for i in range(i4s):
            at = a + 4 * (k_row * m + 4 * rows * i)
            av[4 * i], av[4 * i + 1], av[4 * i + 2], av[4 * i + 3] = load_shared4(at)
        for j in range(j4s):
            at = b + 4 * (k_row * n + 4 * cols * j)
            bv[4 * j], bv[4 * j + 1], bv[4 * j + 2], bv[4 * j + 3] = load_shared4(at)
        for i in range(tm):
            for j in range(tn):
                acc[i * tn + j] += av[i] * bv[j]

    update_all = unrolled(depth, update)

    @compiled
    def multiply(buffer, t, acc):
        row, col, group = place(t)
        a = buffer + 4 * (group * depth * m + 4 * row)
        b = buffer + a_bytes + 4 * (group * depth * n + 4 * col)
        update_all((a, b, acc))

    @compiled
    def gather(base, t, acc):
        """Sums of all groups to group 0; whether this thread has results."""
        row, col, group = place(t)
        if groups > 1:
            cell = base + 16 * (row * cols + col)
            cuda.syncthreads()
            if group > 0:
                for i in range(tm * tn // 4):
                    values = (acc[4 * i], acc[4 * i + 1], acc[4 * i + 2], acc[4 * i + 3])
                    store_shared4(cell + 16 * rows * cols * ((group - 1) * (tm * tn // 4) + i), values)
            cuda.syncthreads()
            if group == 0:
                for g in range(groups - 1):
                    for i in range(tm * tn // 4):
                        v = load_shared4(cell + 16 * rows * cols * (g * (tm * tn // 4) + i))
                        for e in range(4):
                            acc[4 * i + e] += v[e]
        return group == 0

    @compiled
    def store_run(address, v):
        store4(address, (v[0], v[1], v[2], v[3]))

    @compiled
    def row_of(t, i):
        row, _, _ = place(t)
        return i // 4 * 4 * rows + 4 * row + i % 4

    @compiled
    def col_of(t, j):
        _, col, _ = place(t)
        return 4 * (j * cols + col)

    buffer_bytes, sums_bytes = a_bytes + b_bytes, 4 * m * n * (groups - 1)
    return SimpleNamespace(
        results=tm * tn, rows=tm, cols=j4s, width=4, a_chunks=a_chunks, b_count=b_count, b_pitch=4 * n,
        buffer_bytes=buffer_bytes, shared_bytes=max(tile.stages * buffer_bytes, sums_bytes),
        put_a=put_a, put_b=put_b, multiply=multiply, gather=gather, row_of=row_of, col_of=col_of,
        load_run=load4, store_run=store_run,
    )  # fmt: skip
