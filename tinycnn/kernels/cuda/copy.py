"""Strided copies of words, in the target's order, or by squares where source and target go along different axes."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.cuda.tuning import transfer_s
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Emitter, Ref
from tinycnn.kernels.moves import RANK, Axis, Move

THREADS, EACH = 256, 4  # threads of a block, words of a thread
PIECES = {1: "words", 2: "pairs", 4: "fours"}  # what is moved at once, and its name
SIDE = 32  # of a square
LEAST_SIDE = 8  # elements along an axis, from which on squares pay
AXES = " ".join(
    f"{name}{i}{kind}" for name, kind in (("n", ""), ("x", ":signed"), ("y", ":signed")) for i in range(RANK)
)
ROW = f"x:addr y:addr {AXES}"


def sizes(v: SimpleNamespace) -> list[int]:
    return [getattr(v, f"n{i}") for i in range(RANK)]


def ranges(words: int, v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, " ".join(f"n{i}" for i in range(RANK)))
    require(math.prod(sizes(v)) * words < MOST_ELEMENTS, "too many elements")
    for name in ("x", "y"):
        ends = [(n - 1) * getattr(v, f"{name}{i}") for i, n in enumerate(sizes(v))]
        low, high = sum(min(0, e) for e in ends), sum(max(0, e) for e in ends)
        yield Range(name, 4 * low, 4 * (high + words), writes=name == "y")


@functools.cache
def pieces(words: int, target: str) -> CudaKernel:
    """Copies n0 x ... x n5 pieces of 1, 2 or 4 words; x0 ... and y0 ... are strides in words."""

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.runs import digit, piece, run
        from tinycnn.kernels.cuda.simt import cuda

        load, store = piece(words)
        count = EACH // words

        def kernel(x, y, n0, n1, n2, n3, n4, n5, x0, x1, x2, x3, x4, x5, y0, y1, y2, y3, y4, y5):
            first = np.int64(cuda.blockIdx.x) * (THREADS * count) + cuda.threadIdx.x
            total = n0 * n1 * n2 * n3 * n4 * n5
            v, to = run(), cuda.local.array(count, np.int64)
            for i in range(count):
                at = first + i * THREADS
                if at < total:
                    rest, i5 = digit(at, n5)
                    rest, i4 = digit(rest, n4)
                    rest, i3 = digit(rest, n3)
                    rest, i2 = digit(rest, n2)
                    i0, i1 = digit(rest, n1)
                    load(v, i, x + 4 * (i0 * x0 + i1 * x1 + i2 * x2 + i3 * x3 + i4 * x4 + i5 * x5))
                    to[i] = y + 4 * (i0 * y0 + i1 * y1 + i2 * y2 + i3 * y3 + i4 * y4 + i5 * y5)
            for i in range(count):
                if first + i * THREADS < total:
                    store(v, i, to[i])

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(math.prod(sizes(v)), THREADS * (EACH // words)), 1, 1

    name = f"copy_{PIECES[words]}_f32"
    return cuda_kernel(name, ROW, build, functools.partial(ranges, words), target, THREADS, blocks)


@functools.cache
def squares(target: str) -> CudaKernel:
    """Copies n0 x ... x n5 words through shared memory: read along axis 4, whose x4 is 1, written along 5, whose y5 is.

    A row of a square is a word longer than the square, so that neither way meets a bank twice.
    """

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.runs import digit, run
        from tinycnn.kernels.cuda.simt import cuda, load, load_shared, over, shared_memory, store, store_shared

        pitch, high = SIDE + 1, THREADS // SIDE
        memory = shared_memory(4 * SIDE * pitch)

        def kernel(x, y, n0, n1, n2, n3, n4, n5, x0, x1, x2, x3, x4, x5, y0, y1, y2, y3, y4, y5):
            base = memory()
            lane, row = np.int64(cuda.threadIdx.x) % SIDE, np.int64(cuda.threadIdx.x) // SIDE
            rest, j5 = digit(np.int64(cuda.blockIdx.x), over(n5 + SIDE - 1, SIDE))
            rest, j4 = digit(rest, over(n4 + SIDE - 1, SIDE))
            rest, i3 = digit(rest, n3)
            rest, i2 = digit(rest, n2)
            i0, i1 = digit(rest, n1)
            x += 4 * (i0 * x0 + i1 * x1 + i2 * x2 + i3 * x3)
            y += 4 * (i0 * y0 + i1 * y1 + i2 * y2 + i3 * y3)
            v, i4 = run(), SIDE * j4 + lane
            for k in range(EACH):
                i5 = SIDE * j5 + row + k * high
                if i4 < n4 and i5 < n5:
                    v[k] = load(x + 4 * (i4 * x4 + i5 * x5))
            for k in range(EACH):
                store_shared(base + 4 * ((row + k * high) * pitch + lane), v[k])
            cuda.syncthreads()
            i5 = SIDE * j5 + lane
            for k in range(EACH):
                i4 = SIDE * j4 + row + k * high
                if i4 < n4 and i5 < n5:
                    store(y + 4 * (i4 * y4 + i5 * y5), load_shared(base + 4 * (lane * pitch + row + k * high)))

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        *outer, n4, n5 = sizes(v)
        return math.prod(outer) * over(n4, SIDE) * over(n5, SIDE), 1, 1

    return cuda_kernel("copy_squares_f32", ROW, build, functools.partial(ranges, 1), target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    yield from (pieces(words, target) for words in PIECES)
    yield squares(target)


def plan(move: Move, target: str) -> tuple[CudaKernel, list[Axis]]:
    """The kernel for a copy, and its axes with strides in words."""
    axes = [(n, x // 4, y // 4) for n, x, y in move.axes]
    axes = [(1, 0, 0)] * (RANK - len(axes)) + axes
    n, sx, sy = axes[-1]
    columns = [a for a in axes[:-1] if a[1] == 1 and a[0] >= LEAST_SIDE]
    if sx != 1 and sy == 1 and n >= LEAST_SIDE and columns:
        axes.remove(columns[-1])
        axes.insert(-1, columns[-1])
        return squares(target), axes
    words = most_words((move.x // 4, move.y // 4), axes)
    if words > 1:
        axes[-1] = (n // words, words, words)
    return pieces(words, target), axes


def most_words(starts: Iterable[int], axes: Sequence[Axis]) -> int:
    """Words that can be moved at once."""
    *outer, (n, sx, sy) = axes
    numbers = [n, *starts, *(stride for _, *strides in outer for stride in strides)]
    return max(words for words in PIECES if words == 1 or (sx == sy == 1 and all(k % words == 0 for k in numbers)))


def emit(e: Emitter, move: Move, x: Ref, y: Ref, target: str) -> None:
    kernel, axes = plan(move, target)
    slots = {f"{name}{i}": axis[k] for k, name in enumerate("nxy") for i, axis in enumerate(axes)}
    e.row(kernel, x=x + move.x, y=y + move.y, **slots)


def time_s(move: Move) -> float:
    return transfer_s(8 * move.size)
