"""Multiply-adds lane by lane: neighbouring outputs share the input vectors that their windows have in common."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

from tinycnn.kernels.cpu.simd import I64, fma_ir, intp, llvm_type, load_ir, offset_ir, shuffle_ir
from tinycnn.kernels.cpu.tile import TileType


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
