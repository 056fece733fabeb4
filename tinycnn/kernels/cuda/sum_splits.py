"""The end of a product whose rows were split: the parts added up in their order, and the epilogue."""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda import epilogue
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.kernel import Range, require, require_positive

THREADS = 256
ROW = "parts:addr b:addr r:addr y:addr count splits channels area " + epilogue.FIELDS


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "count splits channels area")
    require(v.count < MOST_ELEMENTS, "too many elements")
    yield Range("parts", 0, 4 * v.splits * v.count)
    if v.b:
        yield Range("b", 0, 4 * v.channels)
    if v.r:
        yield Range("r", 0, 4 * v.count)
    yield Range("y", 0, 4 * v.count, writes=True)


@functools.cache
def sum_splits(function: str, target: str) -> CudaKernel:
    """y = f(sum of parts + b + r); parts f32 [splits, count], b f32 [channels], y and r f32 [..., channels, area]."""

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import formulas
        from tinycnn.kernels.cuda.simt import cuda, load, modulo, over, store

        f = formulas()[function]

        def kernel(parts, b, r, y, count, splits, channels, area, alpha, beta):
            at = np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x
            if at < count:
                value = np.float32(0)
                for i in range(splits):
                    value += load(parts + 4 * (i * count + at))
                if b != 0:
                    value += load(b + 4 * modulo(over(at, area), channels))
                if r != 0:
                    value += load(r + 4 * at)
                store(y + 4 * at, f(value, alpha, beta))

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.count, THREADS), 1, 1

    return cuda_kernel(
        f"sum_splits{epilogue.suffix(function)}_f32", ROW, build, ranges, target, THREADS, blocks
    )  # fmt: skip


def kernels(target: str) -> Iterable[CudaKernel]:
    yield from (sum_splits(function, target) for function in ("clamp", "swish"))
