"""A register tile as a Numba type: `Tile[rows, cols, lanes]` is an accumulator of rows x cols vectors of f32."""

from types import SimpleNamespace
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from tinycnn.kernels.cpu.simd import (
    F32,
    I64,
    f32,
    fma_ir,
    inline,
    intp,
    llvm_call,
    llvm_type,
    load_ir,
    offset_ir,
    shuffle_ir,
    splat_ir,
    store_ir,
    void,
)


class TileType(types.Type):
    def __init__(self, rows: int, cols: int, lanes: int):
        self.rows, self.cols, self.lanes = rows, cols, lanes
        super().__init__(name=f"Tile[{rows}x{cols}x{lanes}]")


@register_model(TileType)
class TileModel(models.PrimitiveModel):
    def __init__(self, manager: Any, t: TileType):
        super().__init__(manager, t, ir.ArrayType(ir.VectorType(F32, t.lanes), t.rows * t.cols))


def tiles(rows: int, cols: int, lanes: int) -> SimpleNamespace:
    """The functions of one register tile, c[rows][cols * lanes] += a[rows] (outer) b[cols * lanes].

    zeros()                       the empty accumulator
    update(tile, a, lda, b)       a: address of rows f32, lda bytes apart; b: address of cols vectors, one after another
    update_apart(tile, a, lda, b, ldb)
                                  the same with ldb bytes from one vector to the next
    finish(tile, bias, r, c, row, col, lo, hi, valid, valid_cols)
                                  clamp(tile + bias + r, lo, hi) to c: `valid` rows, `row` bytes apart, of `valid_cols`
                                  vectors, `col` bytes apart; r has the same strides and is read for all rows; bias
                                  holds cols vectors; 0: no bias, no r
    requantize(tile, factor, lo, hi, scale)
                                  clamp(round(tile * factor), lo, hi) * scale, halves to even; factor: address of cols
                                  vectors
    add_vectors(tile, bias)       plus cols vectors
    add(tile, r, row, col, valid_cols)
                                  tile + r; negate(tile): -tile
    beside(tile, other)           a tile of 2 * lanes, from two of one column
    affine(tile, x, y)            tile * x + y, element by element; x, y: address of one vector
    store_valid(tile, c, row, col, valid, valid_cols)
                                  as it is, so much of it
    store(tile, c, row, col)      the whole tile as it is; load(c, row, col) brings it back
    """
    tile, kind = TileType(rows, cols, lanes), llvm_type(lanes)

    @intrinsic
    def zeros(typingctx):
        return tile(), lambda context, builder, sig, args: ir.Constant(ir.ArrayType(kind, rows * cols), None)

    def multiply(builder: Any, acc: Any, a: Any, lda: Any, b: Any, ldb: Any) -> Any:
        bs = [load_ir(builder, offset_ir(builder, b, ldb, j), kind) for j in range(cols)]
        for i in range(rows):
            av = splat_ir(builder, load_ir(builder, offset_ir(builder, a, lda, i), F32), lanes)
            for j, bv in enumerate(bs):
                k = i * cols + j
                acc = builder.insert_value(acc, fma_ir(builder, av, bv, builder.extract_value(acc, k)), k)
        return acc

    @intrinsic
    def update(typingctx, acc, a, lda, b):
        def codegen(context, builder, sig, args):
            return multiply(builder, *args, ir.Constant(I64, 4 * lanes))

        return tile(tile, intp, intp, intp), codegen

    @intrinsic
    def update_apart(typingctx, acc, a, lda, b, ldb):
        return tile(tile, intp, intp, intp, intp), lambda context, builder, sig, args: multiply(builder, *args)

    @intrinsic
    def negate(typingctx, acc):
        def codegen(context, builder, sig, args):
            acc = args[0]
            for k in range(rows * cols):
                acc = builder.insert_value(acc, builder.fneg(builder.extract_value(acc, k)), k)
            return acc

        return tile(tile), codegen

    @intrinsic
    def beside(typingctx, acc, other):
        wide = TileType(rows, cols, 2 * lanes)

        def codegen(context, builder, sig, args):
            result = ir.Constant(ir.ArrayType(llvm_type(2 * lanes), rows * cols), ir.Undefined)
            for k in range(rows * cols):
                lower, upper = (builder.extract_value(x, k) for x in args)
                result = builder.insert_value(result, shuffle_ir(builder, lower, upper, list(range(2 * lanes))), k)
            return result

        return wide(tile, tile), codegen

    @intrinsic
    def affine(typingctx, acc, x, y):
        def codegen(context, builder, sig, args):
            acc, x, y = args
            xv, yv = load_ir(builder, x, kind), load_ir(builder, y, kind)
            for k in range(rows * cols):
                acc = builder.insert_value(acc, fma_ir(builder, builder.extract_value(acc, k), xv, yv), k)
            return acc

        return tile(tile, intp, intp), codegen

    def quantized(builder: Any, acc: Any, factor: Any, lo: Any, hi: Any) -> Any:
        lo, hi = (splat_ir(builder, x, lanes) for x in (lo, hi))
        for j in range(cols):
            by = load_ir(builder, offset_ir(builder, factor, ir.Constant(I64, 4 * lanes), j), kind)
            for k in range(j, rows * cols, cols):
                x = builder.fmul(builder.extract_value(acc, k), by)
                x = llvm_call(builder, f"llvm.rint.v{lanes}f32", kind, [x])
                x = builder.select(builder.fcmp_ordered(">", lo, x), lo, x)
                acc = builder.insert_value(acc, builder.select(builder.fcmp_ordered("<", hi, x), hi, x), k)
        return acc

    @intrinsic
    def requantize(typingctx, acc, factor, lo, hi, scale):
        def codegen(context, builder, sig, args):
            acc, factor, lo, hi, scale = args
            acc = other = quantized(builder, acc, factor, lo, hi)
            before = builder.block
            with builder.if_then(builder.fcmp_ordered("!=", scale, ir.Constant(F32, 1.0))):
                by = splat_ir(builder, scale, lanes)
                for k in range(rows * cols):
                    other = builder.insert_value(other, builder.fmul(builder.extract_value(acc, k), by), k)
                inside = builder.block
            phi = builder.phi(acc.type)
            phi.add_incoming(acc, before)
            phi.add_incoming(other, inside)
            return phi

        return tile(tile, intp, f32, f32, f32), codegen

    @intrinsic
    def add_vectors(typingctx, acc, bias):
        def codegen(context, builder, sig, args):
            acc, bias = args
            for j in range(cols):
                v = load_ir(builder, offset_ir(builder, bias, ir.Constant(I64, 4 * lanes), j), kind)
                for k in range(j, rows * cols, cols):
                    acc = builder.insert_value(acc, builder.fadd(builder.extract_value(acc, k), v), k)
            return acc

        return tile(tile, intp), codegen

    @intrinsic
    def add_rows(typingctx, acc, r, row, col, valid_cols):
        def codegen(context, builder, sig, args):
            acc, r, row, col, valid_cols = args
            for j in range(cols):
                before, old = builder.block, acc
                with builder.if_then(builder.icmp_signed("<", ir.Constant(I64, j), valid_cols), likely=True):
                    for i in range(rows):
                        k = i * cols + j
                        v = load_ir(builder, offset_ir(builder, offset_ir(builder, r, row, i), col, j), kind)
                        acc = builder.insert_value(acc, builder.fadd(builder.extract_value(acc, k), v), k)
                    inside = builder.block
                phi = builder.phi(acc.type)
                phi.add_incoming(old, before)
                phi.add_incoming(acc, inside)
                acc = phi
            return acc

        return tile(tile, intp, intp, intp, intp), codegen

    @intrinsic
    def clamp(typingctx, acc, lo, hi):
        def codegen(context, builder, sig, args):
            acc, lo, hi = args
            lo, hi = (splat_ir(builder, x, lanes) for x in (lo, hi))
            for k in range(rows * cols):
                x = builder.extract_value(acc, k)
                x = builder.select(builder.fcmp_ordered(">", lo, x), lo, x)
                acc = builder.insert_value(acc, builder.select(builder.fcmp_ordered("<", hi, x), hi, x), k)
            return acc

        return tile(tile, f32, f32), codegen

    def storer(guarded: bool) -> Any:
        @intrinsic
        def store_rows(typingctx, acc, c, row, col, valid, valid_cols):
            def codegen(context, builder, sig, args):
                acc, c, row, col, valid, valid_cols = args

                def put(i: int, j: int) -> None:
                    place = offset_ir(builder, offset_ir(builder, c, row, i), col, j)
                    store_ir(builder, builder.extract_value(acc, i * cols + j), place)

                for i in range(rows):
                    for j in range(cols):
                        if not guarded:
                            put(i, j)
                            continue
                        inside = builder.and_(
                            builder.icmp_signed("<", ir.Constant(I64, i), valid),
                            builder.icmp_signed("<", ir.Constant(I64, j), valid_cols),
                        )
                        with builder.if_then(inside):
                            put(i, j)
                return void(context)

            return types.void(tile, intp, intp, intp, intp, intp), codegen

        return store_rows

    store_all, store_some = storer(False), storer(True)

    @inline
    def store_valid(acc, c, row, col, valid, valid_cols):
        if valid == rows and valid_cols == cols:
            store_all(acc, c, row, col, valid, valid_cols)
        else:
            store_some(acc, c, row, col, valid, valid_cols)

    @inline
    def finish(acc, bias, r, c, row, col, lo, hi, valid, valid_cols):
        if bias != 0:
            acc = add_vectors(acc, bias)
        if r != 0:
            acc = add_rows(acc, r, row, col, valid_cols)
        store_valid(clamp(acc, lo, hi), c, row, col, valid, valid_cols)

    @intrinsic
    def load_tile(typingctx, c, row, col):
        def codegen(context, builder, sig, args):
            c, row, col = args
            acc = ir.Constant(ir.ArrayType(kind, rows * cols), ir.Undefined)
            for k in range(rows * cols):
                place = offset_ir(builder, offset_ir(builder, c, row, k // cols), col, k % cols)
                acc = builder.insert_value(acc, load_ir(builder, place, kind), k)
            return acc

        return tile(intp, intp, intp), codegen

    @inline
    def store_tile(acc, c, row, col):
        store_all(acc, c, row, col, rows, cols)

    return SimpleNamespace(
        zeros=zeros,
        update=update,
        update_apart=update_apart,
        add_vectors=add_vectors,
        requantize=requantize,
        add=add_rows,
        negate=negate,
        beside=beside,
        affine=affine,
        finish=finish,
        store=store_tile,
        store_valid=store_valid,
        load=load_tile,
        rows=rows,
        cols=cols,
        lanes=lanes,
    )
