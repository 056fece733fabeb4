"""Softmax and LogSoftmax along one axis of a tensor seen as [outer, axis, inner]: greatest, sum, result."""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.cuda.team import TEAMS, Team, choose
from tinycnn.kernels.cuda.tuning import transfer_s
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Request, lowers

AT_ONCE = 4  # elements that a thread has under way


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "outer axis inner")
    require(v.outer * v.axis * v.inner < MOST_ELEMENTS, "too many elements")
    nbytes = 4 * v.outer * v.axis * v.inner
    yield Range("x", 0, nbytes)
    yield Range("y", 0, nbytes, writes=True)


@functools.cache
def softmax(logarithmic: bool, team: Team, target: str) -> CudaKernel:
    """y = e^(x - m) / sum e^(x - m), m the greatest along the axis, or its logarithm; f32, x and y may be the same."""

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import divide, exp, larger, log
        from tinycnn.kernels.cuda.simt import cuda, inline, load, modulo, over, shared_memory, store
        from tinycnn.kernels.cuda.tree import place, tree

        lines, members, nbytes = team.lines, team.members, team.scratch_bytes
        f32, lowest = np.float32, np.float32(-math.inf)
        memory, where = shared_memory(2 * nbytes), place(team)

        @inline
        def add(a, b):
            return a + b

        greatest_of, sum_of = tree(team, larger), tree(team, add)

        @inline
        def fetch(v, at, left, pace):
            """Elements of a thread; `left` from the first on, `members` apart, are in the line."""
            for k in range(AT_ONCE):
                v[k] = load(at + k * pace) if k * members < left else lowest

        def kernel(x, y, outer, axis, inner):
            t, base = np.int64(cuda.threadIdx.x), memory()
            line, member = where(t)
            line += np.int64(cuda.blockIdx.x) * lines
            row, column = over(line, inner), modulo(line, inner)
            pace = 4 * inner * members
            first = 4 * ((row * axis + member) * inner + column)
            count = axis - member if row < outer else 0
            v = cuda.local.array(AT_ONCE, np.float32)

            greatest, at, left = lowest, x + first, count
            while left > 0:
                fetch(v, at, left, pace)
                for k in range(AT_ONCE):
                    greatest = larger(greatest, v[k])
                at += AT_ONCE * pace
                left -= AT_ONCE * members
            greatest = greatest_of(base, t, greatest)

            total, at, left = f32(0), x + first, count
            while left > 0:
                fetch(v, at, left, pace)
                for k in range(AT_ONCE):
                    total += exp(v[k] - greatest)
                at += AT_ONCE * pace
                left -= AT_ONCE * members
            total = sum_of(base + nbytes, t, total)

            share = log(total) if logarithmic else divide(f32(1), total)
            at, to, left = x + first, y + first, count
            while left > 0:
                fetch(v, at, left, pace)
                for k in range(AT_ONCE):
                    if k * members < left:
                        difference = v[k] - greatest
                        store(to + k * pace, difference - share if logarithmic else exp(difference) * share)
                at += AT_ONCE * pace
                to += AT_ONCE * pace
                left -= AT_ONCE * members

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.outer * v.inner, team.lines), 1, 1

    name = f"{'log_' if logarithmic else ''}softmax_{team}_f32"
    return cuda_kernel(name, "x:addr y:addr outer axis inner", build, ranges, target, team.threads, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    yield from (softmax(logarithmic, team, target) for team in TEAMS for logarithmic in (False, True))


@lowers("Softmax", "LogSoftmax", on="cuda")
def lower(r: Request) -> Iterable[Choice]:
    x = r.inputs[0]
    if x is None or x.dtype != np.float32 or x.rank == 0 or not 0 < x.size < MOST_ELEMENTS:
        return
    position = r.op.axis % x.rank
    outer, axis, inner = math.prod(x.dims[:position]), x.dims[position], math.prod(x.dims[position + 1 :])
    team = choose(outer * inner, axis, inner, r.target.multiprocessors)

    def emit(e: Emitter) -> None:
        kernel = softmax(r.node.kind == "LogSoftmax", team, r.target.name)
        e.row(kernel, x=e.input(0), y=e.output(), outer=outer, axis=axis, inner=inner)

    yield Choice("softmax", ["plain"], "plain", transfer_s(2 * x.nbytes), f"{outer} x {axis} x {inner}", emit, 0)
