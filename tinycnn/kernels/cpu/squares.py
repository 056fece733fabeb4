"""Squares of numbers in vector registers, and their transposition by shuffles."""

from types import SimpleNamespace
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tinycnn.kernels.cpu.simd import (
    I64,
    constant_ir,
    intp,
    llvm_type,
    load_ir,
    masked_store_ir,
    offset_ir,
    shuffle_ir,
    store_ir,
    void,
)
from tinycnn.kernels.cpu.tile import TileType


def zip_ir(builder: Any, a: Any, b: Any, unit: int, group: int) -> tuple[Any, Any]:
    """Within groups of lanes, the even units of a then those of b, and the odd ones. One shuffle instruction each."""
    starts = range(0, a.type.count, group)
    halves = []
    for odd in (0, unit):
        orders = [[s + u + odd + i for u in range(0, group, 2 * unit) for i in range(unit)] for s in starts]
        halves.append([lane for o in orders for side in (0, a.type.count) for lane in [x + side for x in o]])
    return shuffle_ir(builder, a, b, halves[0]), shuffle_ir(builder, a, b, halves[1])


def transpose_ir(builder: Any, rows: list[Any]) -> list[Any]:
    """Rows of a square matrix -> its columns: 4 x 4 within 128 bits, then whole 128-bit parts."""
    lanes = len(rows)
    steps = [(1, 4)] * 2 + [(4, lanes)] * (lanes // 8)
    distances = (1, 2, 4, 8)
    for (unit, group), distance in zip(steps, distances, strict=False):
        result = list(rows)
        for i in range(lanes):
            if not i & distance:
                result[i], result[i + distance] = zip_ir(builder, rows[i], rows[i + distance], unit, group)
        rows = result
    return rows


def squares(lanes: int) -> SimpleNamespace:
    """The functions of a square of lanes x lanes numbers, whose rows lie `stride` bytes apart.

    load(address, stride)
    load_rows(address, stride, rows)                its first rows, zeros below them
    store(square, address, stride)
    store_part(square, address, stride, rows, cols) its first rows and columns; touches no byte beyond them
    transpose(square)
    """
    square, kind = TileType(lanes, 1, lanes), llvm_type(lanes)

    def pack(builder: Any, rows: list[Any]) -> Any:
        result = ir.Constant(ir.ArrayType(kind, lanes), ir.Undefined)
        for i, row in enumerate(rows):
            result = builder.insert_value(result, row, i)
        return result

    def unpack(builder: Any, value: Any) -> list[Any]:
        return [builder.extract_value(value, i) for i in range(lanes)]

    @intrinsic
    def load(typingctx, address, stride):
        def codegen(context, builder, sig, args):
            return pack(builder, [load_ir(builder, offset_ir(builder, *args, i), kind) for i in range(lanes)])

        return square(intp, intp), codegen

    @intrinsic
    def load_rows(typingctx, address, stride, rows):
        def codegen(context, builder, sig, args):
            address, stride, count = args
            loaded, zero = [], ir.Constant(I64, 0)
            for i in range(lanes):
                inside = builder.icmp_signed("<", ir.Constant(I64, i), count)
                place = builder.select(inside, offset_ir(builder, zero, stride, i), zero)
                row = load_ir(builder, builder.add(address, place), kind)
                loaded.append(builder.select(inside, row, constant_ir(lanes, 0)))
            return pack(builder, loaded)

        return square(intp, intp, intp), codegen

    @intrinsic
    def store(typingctx, value, address, stride):
        def codegen(context, builder, sig, args):
            for i, row in enumerate(unpack(builder, args[0])):
                store_ir(builder, row, offset_ir(builder, args[1], args[2], i))
            return void(context)

        return types.void(square, intp, intp), codegen

    @intrinsic
    def store_part(typingctx, value, address, stride, rows, cols):
        def codegen(context, builder, sig, args):
            value, address, stride, count, cols = args
            for i, row in enumerate(unpack(builder, value)):
                with builder.if_then(builder.icmp_signed("<", ir.Constant(I64, i), count)):
                    masked_store_ir(builder, row, offset_ir(builder, address, stride, i), cols)
            return void(context)

        return types.void(square, intp, intp, intp, intp), codegen

    @intrinsic
    def transpose(typingctx, value):
        def codegen(context, builder, sig, args):
            return pack(builder, transpose_ir(builder, unpack(builder, args[0])))

        return square(square), codegen

    return SimpleNamespace(load=load, load_rows=load_rows, store=store, store_part=store_part, transpose=transpose)
