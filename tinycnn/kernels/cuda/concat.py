"""Concat whose inputs are interleaved in the output: up to eight of them by one row."""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda.copy import EACH, PIECES, THREADS
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.cuda.rearrange import fits
from tinycnn.kernels.cuda.tuning import ROW_S, transfer_s
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request, lowers

MOST = 8
ROW = f"{' '.join(f'x{i}:addr' for i in range(MOST))} y:addr {' '.join(f'c{i}' for i in range(MOST))} outer start total"


def widths(v: SimpleNamespace) -> list[int]:
    return [getattr(v, f"c{i}") for i in range(MOST)]


def ranges(words: int, v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "outer total")
    require(min(widths(v)) >= 0 and v.start >= 0, "a negative width")
    require(0 < sum(widths(v)) <= v.total - v.start, f"{widths(v)} from {v.start} of {v.total}")
    require(v.outer * v.total * words < MOST_ELEMENTS, "too many elements")
    for i, width in enumerate(widths(v)):
        if width:
            yield Range(f"x{i}", 0, 4 * words * v.outer * width)
    last = (v.outer - 1) * v.total + v.start + sum(widths(v))
    yield Range("y", 4 * words * v.start, 4 * words * last, writes=True)


@functools.cache
def concat(words: int, target: str) -> CudaKernel:
    """y[outer, start:] = x0[outer, c0], x1[outer, c1], ... for y [outer, total], in pieces of 1, 2 or 4 words.

    A width of 0 stands for no input.
    """

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.runs import digit, piece, run
        from tinycnn.kernels.cuda.simt import cuda

        load, store = piece(words)
        each, size = EACH // words, 4 * words

        def kernel(
            x0, x1, x2, x3, x4, x5, x6, x7, y, c0, c1, c2, c3, c4, c5, c6, c7, outer, start, total
        ):  # fmt: skip
            first = np.int64(cuda.blockIdx.x) * (THREADS * each) + cuda.threadIdx.x
            width = c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7
            v, to = run(), cuda.local.array(each, np.int64)
            for i in range(each):
                at = first + i * THREADS
                if at < outer * width:
                    row, left = digit(at, width)
                    to[i] = y + size * (row * total + start + left)
                    x, c = x0, c0
                    if left >= c:
                        x, c, left = x1, c1, left - c
                    if left >= c:
                        x, c, left = x2, c2, left - c
                    if left >= c:
                        x, c, left = x3, c3, left - c
                    if left >= c:
                        x, c, left = x4, c4, left - c
                    if left >= c:
                        x, c, left = x5, c5, left - c
                    if left >= c:
                        x, c, left = x6, c6, left - c
                    if left >= c:
                        x, c, left = x7, c7, left - c
                    load(v, i, x + size * (row * c + left))
            for i in range(each):
                if first + i * THREADS < outer * width:
                    store(v, i, to[i])

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.outer * sum(widths(v)), THREADS * (EACH // words)), 1, 1

    name = f"concat_{PIECES[words]}_f32"
    return cuda_kernel(name, ROW, build, functools.partial(ranges, words), target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    yield from (concat(words, target) for words in PIECES)


@lowers("Concat", on="cuda")
def lower(r: Request) -> Iterable[Choice]:
    y = r.outputs[0]
    axis = r.op.axis % y.rank
    outer, inner = math.prod(y.dims[:axis]), math.prod(y.dims[axis + 1 :]) * y.dtype.itemsize // 4
    if outer == 1 or not fits(r):
        return
    sizes = [s.dims[axis] * inner for s in r.inputs if s is not None]
    words = math.gcd(EACH, *sizes)

    def emit(e: Emitter) -> None:
        for i in range(0, len(sizes), MOST):
            some = [size // words for size in sizes[i : i + MOST]]
            values: dict[str, int | Ref] = {f"{name}{k}": 0 for name in "xc" for k in range(MOST)}
            for k, size in enumerate(some):
                values |= {f"x{k}": e.input(i + k), f"c{k}": size}
            e.row(
                concat(words, r.target.name), **values, y=e.output(), outer=outer,
                start=sum(sizes[:i]) // words, total=sum(sizes) // words,
            )  # fmt: skip

    rows = -(-len(sizes) // MOST)
    inputs: list[Layout | None] = ["plain"] * len(sizes)
    time_s = transfer_s(2 * y.nbytes) + (rows - 1) * ROW_S
    yield Choice("concat", inputs, "plain", time_s, f"{len(sizes)} inputs, {rows} rows", emit)
