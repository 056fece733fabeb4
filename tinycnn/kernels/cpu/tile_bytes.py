"""A register tile of 32-bit integers, which adds up products of bytes: AVX-512 VNNI's vpdpbusd, and what leads there.

Words are four bytes, of as many channels of one pixel. A vector has 16 of them.
"""

from types import SimpleNamespace
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from tinycnn.kernels.cpu.simd import F32, I8, I32, I64, intp, llvm_call, load_ir, offset_ir, splat_ir, void
from tinycnn.kernels.cpu.tile import TileType

LANES = 16
INTS, FLOATS = ir.VectorType(I32, LANES), ir.VectorType(F32, LANES)


class SumsType(types.Type):
    def __init__(self, rows: int, cols: int):
        self.rows, self.cols = rows, cols
        super().__init__(name=f"Sums[{rows}x{cols}]")


@register_model(SumsType)
class SumsModel(models.PrimitiveModel):
    def __init__(self, manager: Any, t: SumsType):
        super().__init__(manager, t, ir.ArrayType(INTS, t.rows * t.cols))


def store_unaligned(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = 1


def above(builder: Any, address: Any, low: Any) -> Any:
    """16 floats as integers above `low`; what is no number is as zero."""
    integers = builder.fptosi(load_ir(builder, address, FLOATS), INTS)
    return builder.sub(integers, splat_ir(builder, builder.trunc(low, I32), LANES))


@intrinsic
def store_bytes(typingctx, to, source, low):
    """16 floats that are integers in [low, low + 255], as bytes above `low`."""

    def codegen(context, builder, sig, args):
        to, source, low = args
        store_unaligned(builder, builder.trunc(above(builder, source, low), ir.VectorType(I8, LANES)), to)
        return void(context)

    return types.void(intp, intp, intp), codegen


@intrinsic
def store_words(typingctx, to, c0, c1, c2, c3, low):
    """16 words: byte j of the i-th is the i-th float at cj, above `low`."""

    def codegen(context, builder, sig, args):
        to, *channels, low = args
        word = ir.Constant(INTS, [0] * LANES)
        for j, channel in enumerate(channels):
            byte = builder.and_(above(builder, channel, low), ir.Constant(INTS, [255] * LANES))
            word = builder.or_(word, builder.shl(byte, ir.Constant(INTS, [8 * j] * LANES)))
        store_unaligned(builder, word, to)
        return void(context)

    return types.void(*[intp] * 6), codegen


@intrinsic
def store_byte_splat(typingctx, to, byte):
    """64 bytes, all alike."""

    def codegen(context, builder, sig, args):
        store_unaligned(builder, splat_ir(builder, builder.trunc(args[1], I8), 4 * LANES), args[0])
        return void(context)

    return types.void(intp, intp), codegen


def sums(rows: int, cols: int, step: int) -> SimpleNamespace:
    """The functions of one tile, whose rows are pixels `step` bytes apart, and whose columns vectors of channels.

    begin(start)          all rows the `cols` vectors of i32 at `start`
    update(tile, a, b)    plus, for each row, its word at a of unsigned bytes times the words of signed
                          bytes in the `cols` vectors at b, each multiplied byte by byte and added up
    floats(tile)          as a tile of f32
    """
    kind, tile = SumsType(rows, cols), TileType(rows, cols, LANES)
    vector_bytes = ir.Constant(I64, 4 * LANES)

    @intrinsic
    def begin(typingctx, start):
        def codegen(context, builder, sig, args):
            vectors = [load_ir(builder, offset_ir(builder, args[0], vector_bytes, j), INTS) for j in range(cols)]
            acc = ir.Constant(ir.ArrayType(INTS, rows * cols), ir.Undefined)
            for k in range(rows * cols):
                acc = builder.insert_value(acc, vectors[k % cols], k)
            return acc

        return kind(intp), codegen

    @intrinsic
    def update(typingctx, acc, a, b):
        def codegen(context, builder, sig, args):
            acc, a, b = args
            bs = [load_ir(builder, offset_ir(builder, b, vector_bytes, j), INTS) for j in range(cols)]
            for i in range(rows):
                word = load_ir(builder, offset_ir(builder, a, ir.Constant(I64, step), i), I32)
                pixel = splat_ir(builder, word, LANES)
                for j, weights in enumerate(bs):
                    k = i * cols + j
                    total = [builder.extract_value(acc, k), pixel, weights]
                    total = llvm_call(builder, "llvm.x86.avx512.vpdpbusd.512", INTS, total)
                    acc = builder.insert_value(acc, total, k)
            return acc

        return kind(kind, intp, intp), codegen

    @intrinsic
    def floats(typingctx, acc):
        def codegen(context, builder, sig, args):
            out = ir.Constant(ir.ArrayType(FLOATS, rows * cols), ir.Undefined)
            for k in range(rows * cols):
                out = builder.insert_value(out, builder.sitofp(builder.extract_value(args[0], k), FLOATS), k)
            return out

        return tile(kind), codegen

    return SimpleNamespace(begin=begin, update=update, floats=floats)
