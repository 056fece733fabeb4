"""Gather by constant indices: parts of one axis, in any order, by one row."""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda.copy import PIECES
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.cuda.rearrange import fits
from tinycnn.kernels.cuda.tuning import transfer_s
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, lowers

THREADS, EACH = 256, 4  # threads of a block, words of a thread
ROW = "x:addr y:addr index:table outer size count inner"


def ranges(words: int, v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "outer size count inner")
    found = v.index[: v.count]
    require(len(found) == v.count and 0 <= found.min() and found.max() < v.size, "elements that do not exist")
    require(v.outer * max(v.size, v.count) * v.inner * words < MOST_ELEMENTS, "too many elements")
    yield Range("x", 0, 4 * words * v.outer * v.size * v.inner)
    yield Range("y", 0, 4 * words * v.outer * v.count * v.inner, writes=True)


@functools.cache
def gather(words: int, target: str) -> CudaKernel:
    """y[outer, count, inner] = x[outer, index, inner] for x [outer, size, inner], in pieces of 1, 2 or 4 words.

    index: int64 [count]
    """

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.runs import digit, piece, run
        from tinycnn.kernels.cuda.simt import cuda, load_i64

        load, store = piece(words)
        each = EACH // words

        def kernel(x, y, index, outer, size, count, inner):
            first = np.int64(cuda.blockIdx.x) * (THREADS * each) + cuda.threadIdx.x
            total = outer * count * inner
            v = run()
            for i in range(each):
                at = first + i * THREADS
                if at < total:
                    rest, k = digit(at, inner)
                    rest, j = digit(rest, count)
                    load(v, i, x + 4 * words * ((rest * size + load_i64(index + 8 * j)) * inner + k))
            for i in range(each):
                at = first + i * THREADS
                if at < total:
                    store(v, i, y + 4 * words * at)

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.outer * v.count * v.inner, THREADS * (EACH // words)), 1, 1

    name = f"gather_{PIECES[words]}_f32"
    return cuda_kernel(name, ROW, build, functools.partial(ranges, words), target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    yield from (gather(words, target) for words in PIECES)


@lowers("Gather", on="cuda")
def lower(r: Request) -> Iterable[Choice]:
    x, indices = r.inputs[0], r.values[1]
    if x is None or indices is None or not fits(r):
        return
    axis = r.op.axis % x.rank
    size, inner = x.dims[axis], math.prod(x.dims[axis + 1 :]) * x.dtype.itemsize // 4
    words = math.gcd(inner, EACH)

    def emit(e: Emitter) -> None:
        index = e.table(indices.reshape(-1).astype(np.int64) % size)
        e.row(
            gather(words, r.target.name), x=e.input(0), y=e.output(), index=index, outer=math.prod(x.dims[:axis]),
            size=size, count=indices.size, inner=inner // words,
        )  # fmt: skip

    inputs: list[Layout | None] = ["plain", None]
    nbytes = 2 * r.outputs[0].nbytes
    yield Choice("gather", inputs, "plain", transfer_s(nbytes), f"{indices.size} indices", emit)
