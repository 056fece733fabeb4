"""Resize to nearest elements or by linear interpolation: where to look is worked out beforehand, axis by axis."""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from tinycnn.kernels.cpu import tuning
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, blocks, can_block, lowers

Mode = Literal["nearest", "linear"]

SIZES = "images h w oh ow"
FIELDS = {
    "nearest": fields(f"x:addr y:addr rows:table cols:table {SIZES}"),
    "linear": fields(f"x:addr y:addr rows:table cols:table row_weights:addr col_weights:addr {SIZES}"),
}


@functools.cache
def resize(mode: Mode, layout: Layout, isa: str) -> Kernel:
    """f32 [images, h, w, lanes] -> [images, oh, ow, lanes]; the plain layout has one lane.

    nearest  int64 rows [oh] and cols [ow] are the input elements that the outputs are
    linear   int64 rows [oh, 2] and cols [ow, 2] are those that they mix, by f32 weights of the same shapes
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
    for mode in ("nearest", "linear"):
        for layout in ("blocked", "plain"):
            yield resize(mode, layout, isa)


def two_taps(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64 and f32 [out, 2]: the two columns of [out, size] that matter in each row, and their weights."""
    first = (matrix != 0).argmax(1)
    second = np.minimum(first + 1, matrix.shape[1] - 1)
    index, rows = np.stack([first, second], 1), np.arange(len(matrix))
    weights = np.stack([matrix[rows, first], np.where(second > first, matrix[rows, second], 0)], 1)
    return index.astype(np.int64), weights.astype(np.float32)


def tables(r: Request) -> dict[str, np.ndarray] | None:
    """The arrays of the address fields but x and y; None where another mode is asked for, or channels change."""
    op, x = r.op, r.inputs[0]
    assert x is not None
    if op.mode not in FIELDS or op.coordinate_transformation_mode == "tf_crop_and_resize":
        return None
    if any(s is not None and s.size and v is None for s, v in zip(r.inputs[1:], r.values[1:], strict=True)):
        return None
    n, c, *spatial = op.plan(x.dims, *op.optional(r.values))
    if any((axis.size, axis.scale) != (axis.out, 1.0) for axis in (n, c)):
        return None
    result: dict[str, np.ndarray] = {"rows": np.zeros(1, np.int64)}
    if op.mode == "nearest":
        return result | {
            name: op.nearest(axis) for name, axis in zip(("rows", "cols")[-len(spatial) :], spatial, strict=True)
        }
    result = {"rows": np.zeros((1, 2), np.int64), "row_weights": np.array([[1, 0]], np.float32)}
    for name, axis in zip(("row", "col")[-len(spatial) :], spatial, strict=True):
        result[f"{name}s"], result[f"{name}_weights"] = two_taps(op.matrix(axis))
    return result


@lowers("Resize")
def resizes(r: Request) -> Iterable[Choice]:
    """Images in either layout, by constant scales or sizes."""
    x, y = r.inputs[0], r.outputs[0]
    if x is None or not can_block(x) or 0 in x.dims or 0 in y.dims:
        return
    found = tables(r)
    if found is None:
        return
    for layout in ("blocked", "plain"):
        yield choice(r, layout, found)


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
    mixed_s = pixels * r.target.lanes * (8 if r.op.mode == "linear" else 2) / tuning.PEAK_MACS[r.target.name]
    moved_s = tuning.transfer_s(4 * lanes * (images * h * w + pixels))
    inputs: list[Layout | None] = [layout, *[None] * (len(r.inputs) - 1)]
    return Choice(r.op.mode, inputs, layout, max(mixed_s, moved_s), f"{lanes} channels at once", emit)
