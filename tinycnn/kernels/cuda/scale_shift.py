"""ScaleShift: y = act(x * scale[c] + shift[c]), the batch normalization that no convolution could take up."""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda import epilogue
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.cuda.tuning import transfer_s
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, lowers

THREADS, EACH = 256, 4  # threads of a block, neighbouring elements of a thread
ROW = f"x:addr scale:addr shift:addr y:addr count c area {epilogue.FIELDS}"


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "count c area")
    require(v.count < MOST_ELEMENTS and v.c < MOST_ELEMENTS and v.area < MOST_ELEMENTS, "too many elements")
    yield Range("x", 0, 4 * v.count)
    yield Range("y", 0, 4 * v.count, writes=True)
    yield Range("scale", 0, 4 * v.c)
    yield Range("shift", 0, 4 * v.c)


@functools.cache
def scale_shift(function: str, target: str) -> CudaKernel:
    """y = act(x * scale[c] + shift[c]), f32 x and y [count / (c area), c, area]; x and y may be the same."""

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import formulas
        from tinycnn.kernels.cuda.runs import load_run, run, store_run
        from tinycnn.kernels.cuda.simt import cuda, load, modulo, over

        f = formulas()[function]

        def kernel(x, scale, shift, y, count, c, area, alpha, beta):
            at = (np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x) * EACH
            left = count - at
            if left > 0:
                v = run()
                load_run(v, x + 4 * at, left)
                channel, pixel = modulo(over(at, area), c), modulo(at, area)
                a, b = load(scale + 4 * channel), load(shift + 4 * channel)
                for i in range(EACH):
                    if pixel == area:
                        pixel, channel = 0, channel + 1
                        if channel == c:
                            channel = 0
                        a, b = load(scale + 4 * channel), load(shift + 4 * channel)
                    v[i] = f(v[i] * a + b, alpha, beta)
                    pixel += 1
                store_run(v, y + 4 * at, left)

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.count, THREADS * EACH), 1, 1

    name = f"scale_shift{epilogue.suffix(function)}_f32_nchw"
    return cuda_kernel(name, ROW, build, ranges, target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    yield scale_shift("clamp", target)


@lowers("ScaleShift", on="cuda")
def lower(r: Request) -> Iterable[Choice]:
    x, scale, shift = r.inputs[0], r.values[1], r.values[2]
    if x is None or x.dtype != np.float32 or x.rank < 2 or scale is None or shift is None or x.size >= MOST_ELEMENTS:
        return
    channels, *spatial = x.dims[1:]

    def emit(e: Emitter) -> None:
        if x.size:
            e.row(
                scale_shift(epilogue.function(r.op.activation), r.target.name),
                x=e.input(0), y=e.output(), count=x.size, c=channels, area=math.prod(spatial),
                scale=e.weights("scale", lambda: scale.astype(np.float32).reshape(-1)),
                shift=e.weights("shift", lambda: shift.astype(np.float32).reshape(-1)),
                **epilogue.values(r.op.activation),
            )  # fmt: skip

    inputs: list[Layout | None] = ["plain", None, None]
    yield Choice("scale_shift", inputs, "plain", transfer_s(8 * x.size), f"{x.size} elements", emit, in_place=0)
