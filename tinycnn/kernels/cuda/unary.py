"""Elementwise functions of one tensor."""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda import epilogue
from tinycnn.kernels.cuda.launch import CudaKernel, cuda_kernel, over
from tinycnn.kernels.cuda.tuning import transfer_s
from tinycnn.kernels.kernel import Range
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, lowers
from tinycnn.ops.activation import ELEMENTWISE, FUNCTIONS

THREADS, EACH = 256, 4  # threads of a block, elements of a thread


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    yield Range("x", 0, 4 * v.count)
    yield Range("y", 0, 4 * v.count, writes=True)


@functools.cache
def unary(function: str, target: str) -> CudaKernel:
    """y[count] = f(x[count]), f32; x and y may be the same."""

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import formulas
        from tinycnn.kernels.cuda.simt import cuda, load, store

        f = formulas()[function]

        def kernel(x, y, count, alpha, beta):
            first = np.int64(cuda.blockIdx.x) * (THREADS * EACH) + cuda.threadIdx.x
            for i in range(EACH):
                at = first + i * THREADS
                if at < count:
                    store(y + 4 * at, f(load(x + 4 * at), alpha, beta))

        return kernel

    def blocks(v: SimpleNamespace) -> tuple[int, int, int]:
        return over(v.count, THREADS * EACH), 1, 1

    name = f"unary{epilogue.suffix(function)}_f32"
    return cuda_kernel(name, f"x:addr y:addr count {epilogue.FIELDS}", build, ranges, target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    return [unary(function, target) for function in FUNCTIONS]


@lowers(*ELEMENTWISE, on="cuda")
def lower(r: Request) -> Iterable[Choice]:
    x = r.inputs[0]
    variable = [spec for spec, value in zip(r.inputs, r.values, strict=True) if spec and value is None]
    if x is None or x.dtype != np.float32 or len(variable) > 1:
        return
    activation = r.op.activation(*r.values[1:])
    if activation is None:
        return

    def emit(e: Emitter) -> None:
        kernel = unary(activation.function, r.target.name)
        e.row(kernel, x=e.input(0), y=e.output(), count=x.size, **epilogue.values(activation))

    inputs: list[Layout | None] = ["plain", *(None for _ in r.inputs[1:])]
    yield Choice("unary", inputs, "plain", transfer_s(8 * x.size), f"{x.size} elements", emit, in_place=0)
