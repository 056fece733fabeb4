"""Resize to nearest elements or by linear interpolation: a thread finds a pixel once and computes it in some images."""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.cuda.tuning import transfer_s
from tinycnn.kernels.interpolation import MODES, tables
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, lowers

THREADS, EACH = 256, 4  # threads of a block, images of a thread
SIZES = "images h w oh ow"
ROWS = {
    "nearest": f"x:addr y:addr rows:table cols:table {SIZES}",
    "linear": f"x:addr y:addr rows:table cols:table row_weights:addr col_weights:addr {SIZES}",
}


def ranges(taps: int, v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, SIZES)
    require(v.images * max(v.h * v.w, v.oh * v.ow) < MOST_ELEMENTS, "too many elements")
    for table, out, size in ((v.rows, v.oh, v.h), (v.cols, v.ow, v.w)):
        found = table[: taps * out]
        require(len(found) == taps * out and 0 <= found.min() and found.max() < size, "elements that do not exist")
    yield Range("x", 0, 4 * v.images * v.h * v.w)
    yield Range("y", 0, 4 * v.images * v.oh * v.ow, writes=True)
    if taps == 2:
        yield Range("row_weights", 0, 8 * v.oh)
        yield Range("col_weights", 0, 8 * v.ow)


def blocks(v: SimpleNamespace) -> Blocks:
    """Those of the same images stand next to each other."""
    return over(v.oh * v.ow, THREADS) * over(v.images, EACH), 1, 1


@functools.cache
def resize(mode: str, target: str) -> CudaKernel:
    """f32 [images, h, w] -> [images, oh, ow]. The tables are those of `interpolation.tables`."""

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.runs import digit
        from tinycnn.kernels.cuda.simt import cuda, inline, load, load_i64, modulo, over, store

        @inline
        def place(images, area, ow):
            """First image, pixel, and the pixel's row and column."""
            group, part = digit(np.int64(cuda.blockIdx.x), over(area + THREADS - 1, THREADS))
            pixel = part * THREADS + cuda.threadIdx.x
            return group * EACH, pixel, over(pixel, ow), modulo(pixel, ow)

        def nearest(x, y, rows, cols, images, h, w, oh, ow):
            area, plane = oh * ow, h * w
            first, pixel, row, col = place(images, area, ow)
            if pixel < area:
                p = x + 4 * (first * plane + load_i64(rows + 8 * row) * w + load_i64(cols + 8 * col))
                q = y + 4 * (first * area + pixel)
                v = cuda.local.array(EACH, np.float32)
                for i in range(EACH):
                    if first + i < images:
                        v[i] = load(p + 4 * i * plane)
                for i in range(EACH):
                    if first + i < images:
                        store(q + 4 * i * area, v[i])

        def linear(x, y, rows, cols, row_weights, col_weights, images, h, w, oh, ow):
            area, plane = oh * ow, h * w
            first, pixel, row, col = place(images, area, ow)
            if pixel < area:
                r0, r1 = load_i64(rows + 16 * row), load_i64(rows + 16 * row + 8)
                c0, c1 = load_i64(cols + 16 * col), load_i64(cols + 16 * col + 8)
                a0, a1 = load(row_weights + 8 * row), load(row_weights + 8 * row + 4)
                b0, b1 = load(col_weights + 8 * col), load(col_weights + 8 * col + 4)
                p, q = x + 4 * first * plane, y + 4 * (first * area + pixel)
                v = cuda.local.array(EACH, np.float32)
                for i in range(EACH):
                    if first + i < images:
                        left = a0 * load(p + 4 * (r0 * w + c0)) + a1 * load(p + 4 * (r1 * w + c0))
                        right = a0 * load(p + 4 * (r0 * w + c1)) + a1 * load(p + 4 * (r1 * w + c1))
                        v[i] = b0 * left + b1 * right
                    p += 4 * plane
                for i in range(EACH):
                    if first + i < images:
                        store(q + 4 * i * area, v[i])

        return nearest if mode == "nearest" else linear

    bounds = functools.partial(ranges, 1 if mode == "nearest" else 2)
    return cuda_kernel(f"resize_{mode}_f32_nchw", ROWS[mode], build, bounds, target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    return [resize(mode, target) for mode in MODES]


@lowers("Resize", on="cuda")
def lower(r: Request) -> Iterable[Choice]:
    """Images of rank 3 and 4, by constant scales or sizes."""
    x, y, found = r.inputs[0], r.outputs[0], tables(r)
    if x is None or found is None or max(x.size, y.size) >= MOST_ELEMENTS:
        return
    images = x.dims[0] * x.dims[1]
    (h, w), (oh, ow) = ((1, *s.dims[2:])[-2:] for s in (x, y))

    def emit(e: Emitter) -> None:
        refs = {name: e.table(table) for name, table in found.items()}
        kernel = resize(r.op.mode, r.target.name)
        e.row(kernel, x=e.input(0), y=e.output(), images=images, h=h, w=w, oh=oh, ow=ow, **refs)

    inputs: list[Layout | None] = ["plain", *[None] * (len(r.inputs) - 1)]
    yield Choice(r.op.mode, inputs, "plain", transfer_s(4 * (x.size + y.size)), f"{images} images", emit)
