"""Pooling of whole images: the mean and the maximum of each channel."""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels import pooling
from tinycnn.kernels.cpu import cost
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, blocked_size, blocks, can_block, lowers
from tinycnn.kernels.pooling import Function


@functools.cache
def pool(function: Function, layout: Layout, isa: str) -> Kernel:
    """f32 [n, c, spatial] in `layout` -> y [n][pitch], of which it writes the first c of each row.

    c may count pad lanes; n * c images when plain. Four partial results are combined in a fixed order.
    """
    lanes = ISAS[isa].lanes
    blocked = layout == "blocked"

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import (
            inline,
            lane_max,
            lane_sum,
            load_f32,
            store_f32,
            store_part,
            vectors,
        )
        from tinycnn.kernels.cpu.vmath import functions

        load, splat = vectors(lanes).load, vectors(lanes).splat
        maximum = functions(lanes).maximum
        size = 4 * lanes
        is_max = function == "max"
        start = -np.inf if is_max else 0.0
        lane_fold = lane_max if is_max else lane_sum

        @inline
        def combine(acc, x):
            return maximum(x, acc) if is_max else acc + x

        @inline
        def combine_numbers(acc, x):
            if is_max:
                return acc if acc > x or acc != acc else x
            return acc + x

        @inline
        def gather(p, count):
            """All of `count` vectors, lane by lane."""
            a0 = a1 = a2 = a3 = splat(np.float32(start))
            for _ in range(count // 4):
                a0 = combine(a0, load(p))
                a1 = combine(a1, load(p + size))
                a2 = combine(a2, load(p + 2 * size))
                a3 = combine(a3, load(p + 3 * size))
                p += 4 * size
            for _ in range(count % 4):
                a0 = combine(a0, load(p))
                p += size
            return combine(combine(a0, a1), combine(a2, a3))

        def blocked_kernel(x, y, n, c, pitch, spatial, thread, threads):
            per_image = (c + lanes - 1) // lanes
            pieces = n * per_image
            share = splat(np.float32(1) / np.float32(spatial))
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                i, b = piece // per_image, piece % per_image
                total = gather(x + size * piece * spatial, spatial)
                if not is_max:
                    total = total * share
                store_part(y + 4 * (i * pitch + b * lanes), c - b * lanes, total)

        def plain_kernel(x, y, n, c, pitch, spatial, thread, threads):
            pieces = n * c
            whole = spatial // lanes
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                p = x + 4 * piece * spatial
                total = lane_fold(gather(p, whole))
                for i in range(whole * lanes, spatial):
                    total = combine_numbers(total, load_f32(p + 4 * i))
                store_f32(y + 4 * (piece // c * pitch + piece % c), total if is_max else total / np.float32(spatial))

        return blocked_kernel if blocked else plain_kernel

    def ranges(v: SimpleNamespace) -> Iterable[Range]:
        shape = (v.n, v.c, v.spatial)
        yield Range("x", 0, 4 * (blocked_size(shape, lanes) if blocked else math.prod(shape)))
        yield Range("y", 0, 4 * ((v.n - 1) * v.pitch + v.c), writes=True)

    name = f"{function}pool_global_f32_{f'nchw{lanes}c' if blocked else 'nchw'}__{isa}"
    return Kernel(name, fields("x:addr y:addr n c pitch spatial"), build, ranges, isa)


def kernels(isa: str) -> Iterable[Kernel]:
    for function in ("max", "avg"):
        for layout in ("blocked", "plain"):
            yield pool(function, layout, isa)


@lowers("GlobalMaxPool", "GlobalAveragePool")
def whole_images(r: Request) -> Iterable[Choice]:
    """From either layout to the plain one, and from blocked to blocked."""
    x = r.inputs[0]
    if x is None or not can_block(x) or 0 in x.dims:
        return
    n, c, *spatial = x.dims
    lanes = r.target.lanes
    padded = blocks(c, lanes) * lanes
    ways: tuple[tuple[Layout, Layout], ...] = (("blocked", "plain"), ("blocked", "blocked"), ("plain", "plain"))
    for source, target in ways:
        kernel = pool(pooling.function(r), source, r.target.name)
        width = padded if target == "blocked" else c
        values = {"n": n, "c": width, "pitch": width, "spatial": math.prod(spatial)}
        yield choice(r, kernel, source, target, values)


def choice(r: Request, kernel: Kernel, source: Layout, target: Layout, values: dict[str, int]) -> Choice:
    def emit(e: Emitter) -> None:
        e.row(kernel, x=e.input(0), y=e.output(), **values)

    x = r.inputs[0]
    assert x is not None
    read = blocked_size(x.dims, r.target.lanes) if source == "blocked" else x.size
    return Choice("global", [source], target, cost.transfer_s(4 * read), "reads every element once", emit)
