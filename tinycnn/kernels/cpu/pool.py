"""Max and average pooling over windows, a vector of channels (blocked) or one number (plain) at a time."""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels import pooling
from tinycnn.kernels.cpu import cost
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, blocks, lowers
from tinycnn.kernels.pooling import GEOMETRY, Function

FIELDS = fields(f"x:addr y:addr images {GEOMETRY}")


@functools.cache
def pool(function: Function, layout: Layout, isa: str) -> Kernel:
    """f32 [images, h, w, lanes] -> [images, oh, ow, lanes]; the plain layout has one lane."""
    lanes = ISAS[isa].lanes if layout == "blocked" else 1

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import inline, store, vectors
        from tinycnn.kernels.cpu.vmath import functions

        vector = vectors(lanes)
        load, splat = vector.load, vector.splat
        maximum = functions(lanes).maximum
        size = 4 * lanes
        is_max = function == "max"
        start = -np.inf if is_max else 0.0

        @inline
        def combine(acc, x):
            return maximum(x, acc) if is_max else acc + x

        @inline
        def counted(first, step, k, low, high):
            count = 0
            for i in range(k):
                count += low <= first + i * step < high
            return count

        @inline
        def one(x, y, row, col, h, w, kh, kw, dh, dw, rows, cl, cr):
            acc = splat(np.float32(start))
            for i in range(kh):
                r = row + i * dh
                if 0 <= r < h:
                    for j in range(kw):
                        c = col + j * dw
                        if 0 <= c < w:
                            acc = combine(acc, load(x + size * (r * w + c)))
            if not is_max:
                count = max(1, rows * counted(col, dw, kw, -cl, w + cr))
                acc = acc * splat(np.float32(1) / np.float32(count))
            store(y, acc)

        @inline
        def four(x, y, row, col, h, w, kh, kw, sw, dh, dw, rows):
            """Four pixels whose windows leave the image neither left nor right."""
            a0 = a1 = a2 = a3 = splat(np.float32(start))
            step = size * sw
            for i in range(kh):
                r = row + i * dh
                if 0 <= r < h:
                    p = x + size * (r * w + col)
                    for _ in range(kw):
                        a0 = combine(a0, load(p))
                        a1 = combine(a1, load(p + step))
                        a2 = combine(a2, load(p + 2 * step))
                        a3 = combine(a3, load(p + 3 * step))
                        p += size * dw
            if not is_max:
                share = splat(np.float32(1) / np.float32(max(1, rows * kw)))
                a0, a1, a2, a3 = a0 * share, a1 * share, a2 * share, a3 * share
            store(y, a0)
            store(y + size, a1)
            store(y + 2 * size, a2)
            store(y + 3 * size, a3)

        @inline
        def column(x, c, w, taps):
            acc = splat(np.float32(start))
            if 0 <= c < w:
                acc = load(x + size * c)
                for i in range(1, taps):
                    acc = combine(acc, load(x + size * (i * w + c)))
            return acc

        @inline
        def sweep(x, y, ow, w, pl, step, taps, rows, cl, cr):
            """A row of windows 3 wide. Neighbours share columns of `taps` rows; a constant `taps` unrolls them."""
            inside = splat(np.float32(1) / np.float32(rows * 3))
            c0, c1 = column(x, -pl, w, taps), column(x, 1 - pl, w, taps)
            for i in range(ow):
                c = i * step - pl
                c2 = column(x, c + 2, w, taps)
                total = combine(combine(c0, c1), c2)
                if not is_max:
                    cols = min(c + 3, w + cr) - max(c, -cl)
                    total = total * (inside if cols == 3 else splat(np.float32(1) / np.float32(max(1, rows * cols))))
                store(y + size * i, total)
                c0, c1 = (c1, c2) if step == 1 else (c2, column(x, c + 3, w, taps))

        def kernel(x, y, images, h, w, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, ct, cl, cb, cr, thread, threads):
            pieces = images * oh
            piece, last = pieces * thread // threads, pieces * (thread + 1) // threads
            inner = min(ow, (pl + sw - 1) // sw)
            outer = min(ow, max(inner, (w - 1 + pl - (kw - 1) * dw) // sw + 1))
            image, oy = piece // oh, piece % oh
            three = kh == 3 and kw == 3 and sw <= 2 and dh == 1 and dw == 1
            while piece < last:
                source, target = x + size * image * h * w, y + size * piece * ow
                row = oy * sh - pt
                rows = counted(row, dh, kh, -ct, h + cb)
                top = max(row, 0)
                taps, p = min(row + 3, h) - top, source + size * top * w
                ox = 0
                if three and taps > 0:
                    if taps == 3:
                        sweep(p, target, ow, w, pl, sw, 3, rows, cl, cr)
                    else:
                        sweep(p, target, ow, w, pl, sw, taps, rows, cl, cr)
                    ox = ow
                while ox < ow:
                    wide = outer - inner >= 4 and inner <= ox < outer
                    if wide:
                        ox = min(ox, outer - 4)
                    q, col = target + size * ox, ox * sw - pl
                    if wide:
                        four(source, q, row, col, h, w, kh, kw, sw, dh, dw, rows)
                    else:
                        one(source, q, row, col, h, w, kh, kw, dh, dw, rows, cl, cr)
                    ox += 4 if wide else 1
                piece += 1
                oy += 1
                if oy == oh:
                    image, oy = image + 1, 0

        return kernel

    def ranges(v: SimpleNamespace) -> Iterable[Range]:
        require_positive(v, "oh sw")
        yield Range("x", 0, 4 * lanes * v.images * v.h * v.w)
        yield Range("y", 0, 4 * lanes * v.images * v.oh * v.ow, writes=True)

    name = f"{function}pool_f32_{f'nchw{lanes}c' if layout == 'blocked' else 'nchw'}__{isa}"
    return Kernel(name, FIELDS, build, ranges, isa)


def kernels(isa: str) -> Iterable[Kernel]:
    for function in ("max", "avg"):
        for layout in ("blocked", "plain"):
            yield pool(function, layout, isa)


@lowers("MaxPool", "AveragePool")
def windows(r: Request) -> Iterable[Choice]:
    """Both layouts."""
    function, values = pooling.function(r), pooling.geometry(r)
    if values is None:
        return
    n, c = r.outputs[0].dims[:2]
    for layout in ("blocked", "plain"):
        lanes = r.target.lanes if layout == "blocked" else 1
        images = n * blocks(c, lanes)
        yield choice(r, pool(function, layout, r.target.name), images, lanes, layout, values)


def choice(r: Request, kernel: Kernel, images: int, lanes: int, layout: Layout, v: dict[str, int]) -> Choice:
    def emit(e: Emitter) -> None:
        e.row(kernel, x=e.input(0), y=e.output(), images=images, **v)

    pixels = images * v["oh"] * v["ow"]
    taps_s = 2 * pixels * v["kh"] * v["kw"] * r.target.lanes / cost.core(r.target.name).peak_macs
    moved_s = cost.transfer_s(4 * lanes * (images * v["h"] * v["w"] + pixels))
    reason = f"{v['kh']}x{v['kw']} taps a pixel, {lanes} channels at once"
    return Choice("pool", [layout], layout, max(taps_s, moved_s), reason, emit)
