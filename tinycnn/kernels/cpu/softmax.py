"""Softmax and LogSoftmax along one axis of a plain tensor seen as [outer, axis, inner]."""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cpu.cost import transfer_s
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields
from tinycnn.kernels.lowering import Choice, Emitter, Request, lowers

FIELDS = fields("x:addr y:addr outer axis inner")


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    nbytes = 4 * v.outer * v.axis * v.inner
    yield Range("x", 0, nbytes)
    yield Range("y", 0, nbytes, writes=True)


@functools.cache
def softmax(logarithmic: bool, isa: str) -> Kernel:
    """y = e^(x - m) / sum e^(x - m), m the greatest along the axis, or its logarithm; f32, x and y may be the same."""
    lanes = ISAS[isa].lanes

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import at_least, inline, lane_max, lane_sum, store, store_part, vectors
        from tinycnn.kernels.cpu.vmath import functions

        v = vectors(lanes)
        load, load_or, load_part, splat = v.load, v.load_or, v.load_part, v.splat
        f = functions(lanes)
        exp, log = f.exp, f.log
        size = 4 * lanes
        lowest = -float("inf")

        @inline
        def get(address, count):
            return load(address) if count == lanes else load_part(address, count)

        @inline
        def put(address, count, value):
            if count == lanes:
                store(address, value)
            else:
                store_part(address, count, value)

        @inline
        def keep(difference, e):
            """What y holds until the sum is known."""
            return difference if logarithmic else e

        @inline
        def normalizer(total):
            return log(total) if logarithmic else splat(1.0) / total

        @inline
        def finish(kept, normalizer):
            return kept - normalizer if logarithmic else kept * normalizer

        @inline
        def along_row(x, y, count):
            rest = count % lanes
            whole = 4 * (count - rest)
            tail = load_or(x + whole, rest, splat(lowest))
            greatest = tail
            for i in range(0, whole, size):
                greatest = at_least(greatest, load(x + i))
            m = splat(lane_max(greatest))
            sums = exp(tail - m)
            store_part(y + whole, rest, keep(tail - m, sums))
            for i in range(0, whole, size):
                difference = load(x + i) - m
                e = exp(difference)
                store(y + i, keep(difference, e))
                sums = sums + e
            total = normalizer(splat(lane_sum(sums)))
            for i in range(0, whole, size):
                store(y + i, finish(load(y + i), total))
            store_part(y + whole, rest, finish(load_part(y + whole, rest), total))

        @inline
        def along_column(x, y, count, stride, width):
            """lanes columns at once, the first `width` of them real."""
            greatest, sums = splat(lowest), splat(0.0)
            for i in range(0, count * stride, stride):
                greatest = at_least(greatest, get(x + i, width))
            for i in range(0, count * stride, stride):
                difference = get(x + i, width) - greatest
                e = exp(difference)
                put(y + i, width, keep(difference, e))
                sums = sums + e
            total = normalizer(sums)
            for i in range(0, count * stride, stride):
                put(y + i, width, finish(get(y + i, width), total))

        def body(x, y, outer, axis, inner, thread, threads):
            groups = (inner + lanes - 1) // lanes
            pieces = outer * groups
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                column = piece % groups * lanes
                place = 4 * (piece // groups * axis * inner + column)
                if inner == 1:
                    along_row(x + place, y + place, axis)
                else:
                    along_column(x + place, y + place, axis, 4 * inner, min(lanes, inner - column))

        return body

    return Kernel(f"{'log_' if logarithmic else ''}softmax_f32__{isa}", FIELDS, build, ranges, isa)


def kernels(isa: str) -> Iterable[Kernel]:
    yield softmax(False, isa)
    yield softmax(True, isa)


@lowers("Softmax", "LogSoftmax")
def lower(r: Request) -> Iterable[Choice]:
    x = r.inputs[0]
    if x is None or x.dtype != np.float32 or x.rank == 0:
        return
    position = r.op.axis % x.rank
    outer, axis, inner = math.prod(x.dims[:position]), x.dims[position], math.prod(x.dims[position + 1 :])

    def emit(e: Emitter) -> None:
        kernel = softmax(r.node.kind == "LogSoftmax", r.target.name)
        e.row(kernel, x=e.input(0), y=e.output(), outer=outer, axis=axis, inner=inner)

    reason = f"{outer} x {axis} x {inner}"
    yield Choice("softmax", ("plain",), "plain", 2 * transfer_s(2 * x.nbytes), reason, emit, in_place=0)
