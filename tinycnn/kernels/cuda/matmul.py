"""Products of matrices that are both computed: stacks of them, with any steps between rows and columns."""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda import epilogue
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.cuda.tuning import MATMUL_TILE as TILE
from tinycnn.kernels.kernel import Range, require, require_positive

# Steps in elements; pairs: i64 [batch, 2], the matrices of a and b that make each product.
ROW = (
    "a:addr b:addr bias:addr r:addr y:addr pairs:table batch m n k a_row a_step b_step b_column scale:f32 "
    + epilogue.FIELDS
)


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "batch m n k")
    require(len(v.pairs) >= 2 * v.batch, f"{len(v.pairs)} numbers for {v.batch} pairs")
    pairs = v.pairs[: 2 * v.batch].reshape(-1, 2)
    require(bool((pairs >= 0).all()), "a matrix that does not exist")
    yield Range("pairs", 0, 16 * v.batch)
    for name, number, ends in (
        ("a", int(pairs[:, 0].max()), (v.m - 1) * v.a_row + (v.k - 1) * v.a_step),
        ("b", int(pairs[:, 1].max()), (v.n - 1) * v.b_column + (v.k - 1) * v.b_step),
    ):
        size = v.k * (v.m if name == "a" else v.n)
        require((number + 1) * size < MOST_ELEMENTS and ends < MOST_ELEMENTS, "too many elements")
        yield Range(name, 0, 4 * (number * size + ends + 1))
    require(v.batch * v.m * v.n < MOST_ELEMENTS, "too many elements")
    if v.bias:
        yield Range("bias", 0, 4 * v.n)
    if v.r:
        yield Range("r", 0, 4 * v.batch * v.m * v.n)
    yield Range("y", 0, 4 * v.batch * v.m * v.n, writes=True)


@functools.cache
def matmul(function: str, target: str) -> CudaKernel:
    """y[i] = f(scale * a[pairs[i, 0]] b[pairs[i, 1]] + bias + r), f32; bias [n] and r 0 for none."""

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import formulas
        from tinycnn.kernels.cuda.simt import (
            compiled,
            cuda,
            load,
            load_i64,
            modulo,
            over,
            shared_memory,
            store,
            unrolled,
        )
        from tinycnn.kernels.cuda.tile_simt import simt

        e = simt(TILE)
        tm, tn, tk, threads = TILE.m, TILE.n, TILE.k, TILE.threads
        results, width, a_count, b_count = e.results, e.width, 4 * e.a_chunks, e.b_count
        put_a, put_b, multiply, row_of, col_of = e.put_a, e.put_b, e.multiply, e.row_of, e.col_of
        f, memory, f32, i64 = formulas()[function], shared_memory(e.buffer_bytes), np.float32, np.int64

        @compiled
        def finish(run, state):
            t, acc, number, first_row, first_col, m, n, scale, bias, r, y, alpha, beta = state
            i, j = run // cols, run % cols
            row, col = first_row + row_of(t, i), first_col + col_of(t, j)
            for e in range(width):
                if row < m and col + e < n:
                    at = 4 * ((number * m + row) * n + col + e)
                    value = scale * acc[width * run + e]
                    if bias != 0:
                        value += load(bias + 4 * (col + e))
                    if r != 0:
                        value += load(r + at)
                    store(y + at, f(value, alpha, beta))

        cols = e.cols
        finish_all = unrolled(e.rows * cols, finish)

        def kernel(a, b, bias, r, y, pairs, batch, m, n, k, a_row, a_step, b_step, b_column, scale, alpha, beta):
            t = i64(cuda.threadIdx.x)
            base = memory()
            acc = cuda.local.array(results, np.float32)
            ra, rb = cuda.local.array(a_count, np.float32), cuda.local.array(b_count, np.float32)
            for i in range(results):
                acc[i] = f32(0)
            number = i64(cuda.blockIdx.z)
            first_row, first_col = i64(cuda.blockIdx.y) * tm, i64(cuda.blockIdx.x) * tn
            left = a + 4 * load_i64(pairs + 16 * number) * m * k
            right = b + 4 * load_i64(pairs + 16 * number + 8) * k * n
            col = first_col + modulo(t, tn)
            step = i64(0)
            while step < k:
                for i in range(a_count):
                    at = 4 * (t + i // 4 * threads) + i % 4
                    row, depth = first_row + modulo(at, tm), step + over(at, tm)
                    ra[i] = load(left + 4 * (row * a_row + depth * a_step)) if row < m and depth < k else f32(0)
                for i in range(b_count):
                    depth = step + over(t, tn) * b_count + i
                    rb[i] = load(right + 4 * (depth * b_step + col * b_column)) if col < n and depth < k else f32(0)
                cuda.syncthreads()
                put_a(base, t, ra)
                put_b(base, t, rb)
                cuda.syncthreads()
                multiply(base, t, acc)
                step += tk
            finish_all((t, acc, number, first_row, first_col, m, n, scale, bias, r, y, alpha, beta))

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.n, TILE.n), over(v.m, TILE.m), v.batch

    name = f"matmul{epilogue.suffix(function)}_f32_{TILE}"
    return cuda_kernel(name, ROW, build, ranges, target, TILE.threads, blocks, TILE.resident)


def kernels(target: str) -> Iterable[CudaKernel]:
    return [matmul("clamp", target)]
