"""FakeQuantize with one scale for the whole tensor: y = clamp(round(x / scale), lo, hi) * scale, of NaN 0."""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda.launch import Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.cuda.tuning import transfer_s
from tinycnn.kernels.cuda.unary import ranges
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, lowers

THREADS, EACH = 256, 4  # threads of a block, neighbouring elements of a thread
ROW = "x:addr y:addr count scale:f32 lo:f32 hi:f32"


@functools.cache
def fake_quantize(target: str) -> CudaKernel:
    """y[count] from x[count], f32; x and y may be the same. lo and hi: bounds of the integers, less the zero point."""

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import at_least, at_most, divide, rint
        from tinycnn.kernels.cuda.runs import load_run, run, store_run
        from tinycnn.kernels.cuda.simt import cuda

        def kernel(x, y, count, scale, lo, hi):
            at = (np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x) * EACH
            left = count - at
            if left > 0:
                v = run()
                load_run(v, x + 4 * at, left)
                for i in range(EACH):
                    q = rint(divide(v[i], scale))
                    v[i] = at_most(at_least(q if q == q else np.float32(0), lo), hi) * scale
                store_run(v, y + 4 * at, left)

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.count, THREADS * EACH), 1, 1

    return cuda_kernel("fake_quantize_f32", ROW, build, ranges, target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    yield fake_quantize(target)


@lowers("FakeQuantize", on="cuda")
def lower(r: Request) -> Iterable[Choice]:
    x, scale, zero = r.inputs[0], r.values[1], (*r.values, None)[2]
    given = (*r.inputs, None)[2] is not None
    if x is None or x.dtype != np.float32 or scale is None or scale.dtype != np.float32 or scale.size != 1:
        return
    if r.op.block_size or (given and zero is None):
        return
    point = 0 if zero is None else int(zero.item())

    def emit(e: Emitter) -> None:
        if x.size:
            e.row(
                fake_quantize(r.target.name), x=e.input(0), y=e.output(), count=x.size, scale=float(scale.item()),
                lo=r.op.qmin - point, hi=r.op.qmax - point,
            )  # fmt: skip

    inputs: list[Layout | None] = ["plain", *(None for _ in r.inputs[1:])]
    yield Choice("fake_quantize", inputs, "plain", transfer_s(8 * x.size), f"{x.size} elements", emit, in_place=0)
