"""Reductions over any axes: one row for each group of neighbouring axes, the innermost first.

A row sees its tensor as [outer, axis, inner] and folds the axis. Four accumulators go along an axis, or four vectors of
columns side by side; which of the two depends on the shape alone.
"""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cpu.activation import routine
from tinycnn.kernels.cpu.cost import transfer_s
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.cpu.reorder import reorder_row
from tinycnn.kernels.kernel import Kernel, Range, fields
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request, blocks, can_block, lowers
from tinycnn.kernels.reduction import FOLDS, REDUCTIONS, START, Axes, folds, groups, reduced_axes

FIELDS = fields("x:addr y:addr outer axis inner scale:f32 act:code act_args:addr")
WIDTH = 4


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    yield Range("x", 0, 4 * v.outer * v.axis * v.inner)
    yield Range("y", 0, 4 * v.outer * v.inner, writes=True)
    if v.act_args:
        yield Range("act_args", 0, 16)


@functools.cache
def reduce(fold: str, isa: str) -> Kernel:
    """y[outer][inner] = act(scale * fold over the axis of x[outer][axis][inner]), f32; axis >= 1."""
    lanes = ISAS[isa].lanes
    start = START[fold]

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu import simd
        from tinycnn.kernels.cpu.simd import call, fabs, fma, inline, store, store_part, vectors
        from tinycnn.kernels.cpu.vmath import functions

        v, f = vectors(lanes), functions(lanes)
        load, load_or, splat = v.load, v.load_or, v.splat
        size = 4 * lanes
        join = {"max": f.maximum, "min": f.minimum}.get(fold) or inline(lambda a, b: a + b)
        take = {
            "max": f.maximum,
            "min": f.minimum,
            "sum": join,
            "sum_abs": inline(lambda total, x: total + fabs(x)),
            "sum_square": inline(lambda total, x: fma(x, x, total)),
        }[fold]
        across = {"max": simd.lane_max, "min": simd.lane_min}.get(fold, simd.lane_sum)

        @inline
        def along_row(x, count):
            a = b = c = d = splat(start)
            rest = count % lanes
            whole = 4 * (count - rest)
            i = 0
            while i + 3 * size < whole:
                a, b = take(a, load(x + i)), take(b, load(x + i + size))
                c, d = take(c, load(x + i + 2 * size)), take(d, load(x + i + 3 * size))
                i += WIDTH * size
            while i < whole:
                a = take(a, load(x + i))
                i += size
            if rest > 0:
                b = take(b, load_or(x + whole, rest, splat(start)))
            return splat(across(join(join(a, b), join(c, d))))

        @inline
        def along_column(x, count, stride, width):
            """lanes columns, the first `width` of them real."""
            a = b = c = d = splat(start)
            stop = x + count * stride
            if width < lanes:
                while x < stop:
                    a = take(a, load_or(x, width, splat(start)))
                    x += stride
            while x + 3 * stride < stop:
                a, b = take(a, load(x)), take(b, load(x + stride))
                c, d = take(c, load(x + 2 * stride)), take(d, load(x + 3 * stride))
                x += WIDTH * stride
            while x < stop:
                a = take(a, load(x))
                x += stride
            return join(join(a, b), join(c, d))

        @inline
        def along_columns(x, y, count, stride, scale):
            """WIDTH * lanes columns."""
            a = b = c = d = splat(start)
            for i in range(0, count * stride, stride):
                a, b = take(a, load(x + i)), take(b, load(x + i + size))
                c, d = take(c, load(x + i + 2 * size)), take(d, load(x + i + 3 * size))
            store(y, a * scale)
            store(y + size, b * scale)
            store(y + 2 * size, c * scale)
            store(y + 3 * size, d * scale)

        def body(x, y, outer, axis, inner, scale, act, act_args, thread, threads):
            factor = splat(scale)
            group = WIDTH * lanes
            groups = (inner + group - 1) // group
            pieces = outer * groups
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                row, column = piece // groups, piece % groups * group
                source, to = x + 4 * (row * axis * inner + column), y + 4 * (row * inner + column)
                n = min(group, inner - column)
                if inner == 1:
                    store_part(to, 1, along_row(source, axis) * factor)
                elif n == group:
                    along_columns(source, to, axis, 4 * inner, factor)
                else:
                    for j in range(0, n, lanes):
                        width = min(lanes, n - j)
                        total = along_column(source + 4 * j, axis, 4 * inner, width) * factor
                        store_part(to + 4 * j, width, total)
                if act != 0:
                    call(act, act_args, to, n)

        return body

    return Kernel(f"reduce_{fold}_f32__{isa}", FIELDS, build, ranges, isa)


def kernels(isa: str) -> Iterable[Kernel]:
    return [reduce(fold, isa) for fold in FOLDS]


def emit_rows(e: Emitter, r: Request, x: Ref, y: Ref, shape: Axes) -> None:
    for fold in folds(r.node.kind, shape):
        to = y if fold.last else e.scratch(4 * fold.outer * fold.inner)
        e.row(
            reduce(fold.name, r.target.name), x=x, y=to, outer=fold.outer, axis=fold.axis, inner=fold.inner,
            scale=fold.scale, **routine(e, fold.finish, r.target.name),
        )  # fmt: skip
        x = to


@lowers(*REDUCTIONS)
def lower(r: Request) -> Iterable[Choice]:
    x, axes = r.inputs[0], reduced_axes(r)
    if x is None or x.dtype != np.float32 or axes is None or x.size == 0:
        return

    def emit(e: Emitter) -> None:
        emit_rows(e, r, e.input(0), e.output(), groups(x.dims, axes))

    rest: list[Layout | None] = [None] * (len(r.inputs) - 1)
    reason = f"over axes {axes} of {x}"
    yield Choice("reduce", ["plain", *rest], "plain", transfer_s(x.nbytes + r.outputs[0].nbytes), reason, emit)
    if can_block(x) and axes == tuple(range(2, x.rank)):
        yield over_pixels(r, x.dims, rest, reason)


def over_pixels(r: Request, dims: tuple[int, ...], rest: list[Layout | None], reason: str) -> Choice:
    """All spatial axes of a blocked tensor: [n * blocks, pixels, lanes] with the pixels folded."""
    n, c, *spatial = dims
    lanes, output = r.target.lanes, r.outputs[0]
    block_count = n * blocks(c, lanes)
    shape = [(block_count, False), (math.prod(spatial), True), (lanes, False)]
    keeps = output.rank > 2

    def emit(e: Emitter) -> None:
        if keeps or c % lanes == 0:
            emit_rows(e, r, e.input(0), e.output(), shape)
        else:
            blocked = e.scratch(4 * block_count * lanes)
            emit_rows(e, r, e.input(0), blocked, shape)
            kernel, values = reorder_row("plain", (n, c, 1), r.target.name)
            e.row(kernel, x=blocked, y=e.output(), **values)

    nbytes = 4 * block_count * math.prod(spatial) * lanes
    layout: Layout = "blocked" if keeps else "plain"
    return Choice("reduce_pixels", ["blocked", *rest], layout, transfer_s(nbytes), reason, emit)
