"""A dense layer for one row: every weight is read once, so memory sets the pace."""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda import epilogue
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.kernel import Range, require, require_positive

THREADS, OUTPUTS = 128, 2  # threads of a block, and the results that they compute together
ROW = "x:addr w:addr b:addr r:addr y:addr n k " + epilogue.FIELDS


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "n k")
    require(v.n < MOST_ELEMENTS and v.k < MOST_ELEMENTS, "too many elements")
    yield Range("x", 0, 4 * v.k)
    yield Range("w", 0, 4 * over(v.n, OUTPUTS) * OUTPUTS * padded(v.k))
    if v.b:
        yield Range("b", 0, 4 * v.n)
    if v.r:
        yield Range("r", 0, 4 * v.n)
    yield Range("y", 0, 4 * v.n, writes=True)


def padded(k: int) -> int:
    """Weights of a row: in whole vectors of four."""
    return over(k, 4) * 4


def pack(w: np.ndarray) -> np.ndarray:
    """Weights f32 [n, k] with zeros behind each row, and rows of zeros for the last block."""
    n, k = w.shape
    packed = np.zeros((over(n, OUTPUTS) * OUTPUTS, padded(k)), np.float32)
    packed[:n, :k] = w
    return packed


@functools.cache
def dense(function: str, target: str) -> CudaKernel:
    """y[n] = f(w x + b + r), f32; w as `pack` makes it, b and r 0 for none.

    Each thread adds up every 128th vector of four; then halves of the block are added, in the same order every time.
    """

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import formulas
        from tinycnn.kernels.cuda.simt import (
            cuda,
            load,
            load4,
            load_shared,
            shared_memory,
            store,
            store_shared,
        )

        f, memory, f32 = formulas()[function], shared_memory(4 * THREADS * OUTPUTS), np.float32

        def kernel(x, w, b, r, y, n, k, alpha, beta):
            t = np.int64(cuda.threadIdx.x)
            first = np.int64(cuda.blockIdx.x) * OUTPUTS
            pitch = (k + 3) // 4 * 16
            sums = cuda.local.array(OUTPUTS, np.float32)
            for o in range(OUTPUTS):
                sums[o] = f32(0)
            at = 16 * t
            weights = w + first * pitch
            while at < pitch:
                v = cuda.local.array(4, np.float32)
                if at + 16 <= 4 * k:
                    for i in range(4):
                        v[i] = load(x + at + 4 * i)
                else:
                    for i in range(4):
                        v[i] = load(x + at + 4 * i) if at + 4 * i < 4 * k else f32(0)
                for o in range(OUTPUTS):
                    u = load4(weights + o * pitch + at)
                    sums[o] += u[0] * v[0]
                    sums[o] += u[1] * v[1]
                    sums[o] += u[2] * v[2]
                    sums[o] += u[3] * v[3]
                at += 16 * THREADS
            base = memory()
            for o in range(OUTPUTS):
                store_shared(base + 4 * (o * THREADS + t), sums[o])
            cuda.syncthreads()
            width = THREADS // 2
            while width > 0:
                if t < width:
                    for o in range(OUTPUTS):
                        mine = base + 4 * (o * THREADS + t)
                        store_shared(mine, load_shared(mine) + load_shared(mine + 4 * width))
                cuda.syncthreads()
                width //= 2
            if t < OUTPUTS and first + t < n:
                at = first + t
                total = load_shared(base + 4 * t * THREADS)
                if b != 0:
                    total += load(b + 4 * at)
                if r != 0:
                    total += load(r + 4 * at)
                store(y + 4 * at, f(total, alpha, beta))

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.n, OUTPUTS), 1, 1

    return cuda_kernel(f"dense{epilogue.suffix(function)}_f32", ROW, build, ranges, target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    return [dense("clamp", target)]
