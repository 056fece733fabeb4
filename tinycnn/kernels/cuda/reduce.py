"""Reductions over any axes: one row for each group of neighbouring axes, the innermost first; two where lines are few.

A row sees its tensor as [outer, axis, inner] and folds the axis. Every element is taken by one thread in a fixed order,
and the threads of a line add up theirs in a tree.
"""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda import epilogue, tuning
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.cuda.team import TEAMS, Team, choose, parts
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request, lowers
from tinycnn.kernels.reduction import FOLDS, REDUCTIONS, START, Axes, Fold, folds, groups, reduced_axes

# How what a fold gave is folded further.
FOLLOWING = {first: following for first, following, _ in REDUCTIONS.values()}
ROW = f"x:addr y:addr outer parts axis inner scale:f32 {epilogue.FIELDS}"


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "outer parts axis inner")
    require(v.parts <= v.axis and v.outer * v.axis * v.inner < MOST_ELEMENTS, "too many elements")
    yield Range("x", 0, 4 * v.outer * v.axis * v.inner)
    yield Range("y", 0, 4 * v.outer * v.parts * v.inner, writes=True)


@functools.cache
def reduce(fold: str, team: Team, function: str, target: str) -> CudaKernel:
    """y[outer][parts][inner] = f(scale * fold over each part of the axis of x[outer][axis][inner]), f32."""

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import formulas, larger, smaller
        from tinycnn.kernels.cuda.simt import cuda, inline, load, modulo, over, shared_memory, store
        from tinycnn.kernels.cuda.tree import place, tree

        @inline
        def add(a, b):
            return a + b

        @inline
        def same(x):
            return x

        @inline
        def magnitude(x):
            return abs(x)

        @inline
        def square(x):
            return x * x

        join = {"max": larger, "min": smaller}.get(fold, add)
        value = {"sum_abs": magnitude, "sum_square": square}.get(fold, same)
        f, start = formulas()[function], np.float32(START[fold])
        memory, where, total = shared_memory(team.scratch_bytes), place(team), tree(team, join)
        lines, members = team.lines, team.members

        def kernel(x, y, outer, parts, axis, inner, scale, alpha, beta):
            t = np.int64(cuda.threadIdx.x)
            line, member = where(t)
            line += np.int64(cuda.blockIdx.x) * lines
            rest, column = over(line, inner), modulo(line, inner)
            row, part = over(rest, parts), modulo(rest, parts)
            length = over(axis + parts - 1, parts)
            i, stop = part * length + member, min(axis, (part + 1) * length)
            a = b = c = d = start
            if row < outer:
                pace = 4 * inner * members
                at = x + 4 * ((row * axis + i) * inner + column)
                while i < stop:
                    p = value(load(at))
                    q = value(load(at + pace)) if i + members < stop else start
                    r = value(load(at + 2 * pace)) if i + 2 * members < stop else start
                    s = value(load(at + 3 * pace)) if i + 3 * members < stop else start
                    a, b, c, d = join(a, p), join(b, q), join(c, r), join(d, s)
                    at += 4 * pace
                    i += 4 * members
            result = total(memory(), t, join(join(a, b), join(c, d)))
            if row < outer and member == 0:
                store(y + 4 * line, f(result * scale, alpha, beta))

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.outer * v.parts * v.inner, team.lines), 1, 1

    name = f"reduce_{fold}_{team}{epilogue.suffix(function)}_f32"
    return cuda_kernel(name, ROW, build, ranges, target, team.threads, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    for team in TEAMS:
        yield from (reduce(fold, team, "clamp", target) for fold in FOLDS)


def emit_fold(e: Emitter, fold: Fold, x: Ref, y: Ref, device: Any) -> None:
    """One fold, in two rows where lines are few: the parts of each, then the parts."""
    name, axis, lines = fold.name, fold.axis, fold.outer * fold.inner
    team = choose(lines, axis, fold.inner, device.multiprocessors)
    count = parts(lines, axis, team, device.multiprocessors)
    if count > 1:
        between, nothing = e.scratch(4 * count * lines), epilogue.values(None)
        sizes = {"outer": fold.outer, "parts": count, "axis": axis, "inner": fold.inner}
        e.row(reduce(name, team, "clamp", device.name), x=x, y=between, scale=1.0, **sizes, **nothing)
        x, name, axis = between, FOLLOWING[name], count
        team = choose(lines, axis, fold.inner, device.multiprocessors)
    e.row(
        reduce(name, team, epilogue.function(fold.finish), device.name), x=x, y=y, outer=fold.outer, parts=1, axis=axis,
        inner=fold.inner, scale=fold.scale, **epilogue.values(fold.finish),
    )  # fmt: skip


def emit_folds(e: Emitter, kind: str, x: Ref, y: Ref, shape: Axes, device: Any) -> None:
    for fold in folds(kind, shape):
        to = y if fold.last else e.scratch(4 * fold.outer * fold.inner)
        emit_fold(e, fold, x, to, device)
        x = to


@lowers(*REDUCTIONS, on="cuda")
def lower(r: Request) -> Iterable[Choice]:
    x, axes = r.inputs[0], reduced_axes(r)
    if x is None or x.dtype != np.float32 or axes is None or not 0 < x.size < MOST_ELEMENTS:
        return

    def emit(e: Emitter) -> None:
        emit_folds(e, r.node.kind, e.input(0), e.output(), groups(x.dims, axes), r.target)

    rest: list[Layout | None] = [None] * (len(r.inputs) - 1)
    time_s = tuning.transfer_s(x.nbytes + r.outputs[0].nbytes)
    yield Choice("reduce", ["plain", *rest], "plain", time_s, f"over axes {axes} of {x}", emit)
