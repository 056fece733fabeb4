"""Resize to nearest elements or by linear interpolation, a vector of channels at once."""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cpu import cost
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.interpolation import MODES, tables
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, blocks, lowers

SIZES = "images h w oh ow"
FIELDS = {
    "nearest": fields(f"x:addr y:addr rows:table cols:table {SIZES}"),
    "linear": fields(f"x:addr y:addr rows:table cols:table row_weights:addr col_weights:addr {SIZES}"),
}


@functools.cache
def resize(mode: str, layout: Layout, isa: str) -> Kernel:
    """f32 [images, h, w, lanes] -> [images, oh, ow, lanes]; the plain layout has one lane.

    The tables are those of `interpolation.tables`.
    """
    lanes = ISAS[isa].lanes if layout == "blocked" else 1
    taps = 1 if mode == "nearest" else 2

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import fma, load_i64, store, vectors

        load, load_splat = vectors(lanes).load, vectors(lanes).load_splat
        size = 4 * lanes

        def nearest(x, y, rows, cols, images, h, w, oh, ow, thread, threads):
            pieces = images * oh
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                row = piece // oh * h + load_i64(rows + 8 * (piece % oh))
                p, q = x + size * row * w, y + size * piece * ow
                for i in range(ow):
                    store(q + size * i, load(p + size * load_i64(cols + 8 * i)))

        def linear(x, y, rows, cols, row_weights, col_weights, images, h, w, oh, ow, thread, threads):
            pieces = images * oh
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                image, j = piece // oh * h, piece % oh
                p0 = x + size * (image + load_i64(rows + 16 * j)) * w
                p1 = x + size * (image + load_i64(rows + 16 * j + 8)) * w
                a0, a1 = load_splat(row_weights + 8 * j), load_splat(row_weights + 8 * j + 4)
                q = y + size * piece * ow
                for i in range(ow):
                    c0, c1 = size * load_i64(cols + 16 * i), size * load_i64(cols + 16 * i + 8)
                    b0, b1 = load_splat(col_weights + 8 * i), load_splat(col_weights + 8 * i + 4)
                    left = fma(a1, load(p1 + c0), a0 * load(p0 + c0))
                    right = fma(a1, load(p1 + c1), a0 * load(p0 + c1))
                    store(q + size * i, fma(b1, right, b0 * left))

        return nearest if mode == "nearest" else linear

    def ranges(v: SimpleNamespace) -> Iterable[Range]:
        require_positive(v, "oh ow")
        for table, out, size in ((v.rows, v.oh, v.h), (v.cols, v.ow, v.w)):
            found = table[: taps * out]
            require(len(found) == taps * out and 0 <= found.min() and found.max() < size, "elements that do not exist")
        yield Range("x", 0, 4 * lanes * v.images * v.h * v.w)
        yield Range("y", 0, 4 * lanes * v.images * v.oh * v.ow, writes=True)
        if mode == "linear":
            yield Range("row_weights", 0, 8 * v.oh)
            yield Range("col_weights", 0, 8 * v.ow)

    name = f"resize_{mode}_f32_{f'nchw{lanes}c' if layout == 'blocked' else 'nchw'}__{isa}"
    return Kernel(name, FIELDS[mode], build, ranges, isa)


def kernels(isa: str) -> Iterable[Kernel]:
    for mode in MODES:
        for layout in ("blocked", "plain"):
            yield resize(mode, layout, isa)


@lowers("Resize")
def resizes(r: Request) -> Iterable[Choice]:
    """Images in either layout, by constant scales or sizes."""
    found = tables(r)
    if found is not None:
        yield choice(r, "blocked", found)
        yield choice(r, "plain", found)


def choice(r: Request, layout: Layout, found: dict[str, np.ndarray]) -> Choice:
    x, y = r.inputs[0], r.outputs[0]
    assert x is not None
    lanes = r.target.lanes if layout == "blocked" else 1
    images = x.dims[0] * blocks(x.dims[1], lanes)
    (h, w), (oh, ow) = ((1, *s.dims[2:])[-2:] for s in (x, y))
    kernel = resize(r.op.mode, layout, r.target.name)

    def emit(e: Emitter) -> None:
        refs = {name: e.table(table) for name, table in found.items()}
        e.row(kernel, x=e.input(0), y=e.output(), images=images, h=h, w=w, oh=oh, ow=ow, **refs)

    pixels = images * oh * ow
    mixed_s = pixels * r.target.lanes * (8 if r.op.mode == "linear" else 2) / cost.core(r.target.name).peak_macs
    moved_s = cost.transfer_s(4 * lanes * (images * h * w + pixels))
    inputs: list[Layout | None] = [layout, *[None] * (len(r.inputs) - 1)]
    return Choice(r.op.mode, inputs, layout, max(mixed_s, moved_s), f"{lanes} channels at once", emit)
