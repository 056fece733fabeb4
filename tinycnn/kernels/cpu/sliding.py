"""Multiply-adds lane by lane: neighbouring outputs share the input vectors that their windows have in common."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

from tinycnn.kernels.cpu.simd import I64, fma_ir, inline, intp, jit, llvm_type, load_ir, offset_ir, shuffle_ir
from tinycnn.kernels.cpu.tile import TileType, tiles


def sliding(rows: int, taps: int, stride: int, group: int, lanes: int) -> SimpleNamespace:
    """One kernel row over `rows` outputs: tile[r] += sum over t of spread(x[r * stride + t]) * w[t * group], t < taps.

    spread(v) repeats the first of every `group` lanes over all of them: the first channel of every group. Channel j is
    the first of vectors that begin j lanes later, which leaves all of the window's weights in registers.

    span                                             input vectors of one tile
    update(tile, x, step, w)                         x: address of `span` vectors, `step` bytes apart; w: of vectors
    update_at_border(tile, x, step, w, first, pace, width, zero)
                                                     vector i is that at `zero` unless 0 <= first + i * pace < width
    """
    tile, kind = TileType(rows, 1, lanes), llvm_type(lanes)
    span = (rows - 1) * stride + taps
    weight_step, spread = ir.Constant(I64, 4 * lanes * group), [lane // group * group for lane in range(lanes)]

    def accumulate(builder: Any, acc: Any, w: Any, place: Callable[[int], Any]) -> Any:
        ws = [load_ir(builder, offset_ir(builder, w, weight_step, t), kind) for t in range(taps)]
        for i in range(span):
            uses = [(divmod(i - t, stride)[0], t) for t in range(taps) if (i - t) % stride == 0]
            uses = [(r, t) for r, t in uses if 0 <= r < rows]
            if uses:
                x = load_ir(builder, place(i), kind)
                x = shuffle_ir(builder, x, x, spread)
            for r, t in uses:
                acc = builder.insert_value(acc, fma_ir(builder, x, ws[t], builder.extract_value(acc, r)), r)
        return acc

    @intrinsic
    def update(typingctx, acc, x, step, w):
        def codegen(context, builder, sig, args):
            acc, x, step, w = args
            return accumulate(builder, acc, w, lambda i: offset_ir(builder, x, step, i))

        return tile(tile, intp, intp, intp), codegen

    @intrinsic
    def update_at_border(typingctx, acc, x, step, w, first, pace, width, zero):
        def codegen(context, builder, sig, args):
            acc, x, step, w, first, pace, width, zero = args

            def place(i: int) -> Any:
                inside = builder.icmp_unsigned("<", offset_ir(builder, first, pace, i), width)
                return builder.select(inside, offset_ir(builder, x, step, i), zero)

            return accumulate(builder, acc, w, place)

        return tile(tile, *[intp] * 7), codegen

    return SimpleNamespace(update=update, update_at_border=update_at_border, span=span)


def output_row(rows: int, taps: int, stride: int, group: int, lanes: int, quantizes: bool) -> Callable[..., Any]:
    """The function that computes one row of outputs of one block of channels, `rows` at a time.

    taps, stride  of a kernel row: see `sliding`; taps 1: kernels of any width and dilation; stride 0: any stride
    quantizes     whether it may be given factors, in place of a residual
    """
    tile, slide = tiles(rows, 1, lanes), sliding(rows, taps, max(stride, 1), group, lanes)
    zeros, finish, store_valid = tile.zeros, tile.finish, tile.store_valid
    add_vectors, requantize = tile.add_vectors, tile.requantize
    update, update_at_border, span = slide.update, slide.update_at_border, slide.span
    vector = 4 * lanes

    @inline
    def kernel_row(acc, line, w, ix, width, kw, pace, dw, zero):
        """`pace`: input pixels from one vector that `slide` reads to the next."""
        for kx in range(0, kw, taps):
            first = ix + kx * dw
            inside = first >= 0 and first + (span - 1) * pace < width
            for j in range(group):
                source, weights = line + first * vector + 4 * j, w + (kx * group + j) * vector
                if inside:
                    acc = update(acc, source, pace * vector, weights)
                else:
                    acc = update_at_border(acc, source, pace * vector, weights, first, pace, width, zero + 4 * j)
        return acc

    @jit
    def row(x, w, b, r, f, y, lo, hi, scale, iy, h, width, ow, kh, kw, sw, dh, dw, pl, zero):
        """x: of input row 0 of h, of which the window's first is iy; what lies outside of them is left out."""
        step, pace = (sw, sw) if stride == 0 else (stride, 1)
        first, last = 0, kh
        while first < last and iy + first * dh < 0:
            first += 1
        while first < last and iy + (last - 1) * dh >= h:
            last -= 1
        for start in range(0, ow, rows):
            ox = max(0, min(start, ow - rows))
            acc = zeros()
            for ky in range(first, last):
                line = x + (iy + ky * dh) * width * vector
                acc = kernel_row(acc, line, w + ky * kw * group * vector, ox * step - pl, width, kw, pace, dw, zero)
            if quantizes and f != 0:
                if b != 0:
                    acc = add_vectors(acc, b)
                acc = requantize(acc, f, lo, hi, scale)
                store_valid(acc, y + ox * vector, vector, 0, min(rows, ow - ox), 1)
                continue
            residual = r + ox * vector if r != 0 else 0
            finish(acc, b, residual, y + ox * vector, vector, 0, lo, hi, min(rows, ow - ox), 1)

    return row
