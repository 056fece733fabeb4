"""Small constant matrices on both sides of a square of vectors: the transforms of Winograd convolution."""

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic

from tinycnn.kernels.cpu.simd import constant_ir, fma_ir, intp, llvm_type, load_ir, offset_ir, store_ir, void


def linear_ir(builder: Any, coefficients: Any, vectors: list[Any]) -> Any:
    """Sum of coefficient * vector over the nonzero coefficients; None where there are none."""
    total = None
    for c, v in zip(coefficients, vectors, strict=True):
        if c == 0:
            continue
        if total is None:
            total = v if c == 1 else builder.fmul(constant_ir(v.type.count, c), v)
        elif abs(c) == 1:
            total = builder.fadd(total, v) if c == 1 else builder.fsub(total, v)
        else:
            total = fma_ir(builder, constant_ir(v.type.count, c), v, total)
    return total


def matrix_vector_ir(builder: Any, matrix: Any, vectors: list[Any]) -> list[Any]:
    """matrix @ vectors. Two rows that differ in the signs of some columns only, as those of the points p and -p do,
    share their work: one is the sum, the other the difference of two halves."""
    result: list[Any] = [None] * len(matrix)
    for i, row in enumerate(matrix):
        if result[i] is not None:
            continue
        twins = (k for k in range(i + 1, len(matrix)) if (abs(matrix[k]) == abs(row)).all())
        twin = next((k for k in twins if result[k] is None), None)
        if twin is None:
            result[i] = linear_ir(builder, row, vectors)
            continue
        kept = linear_ir(builder, (row + matrix[twin]) / 2, vectors)
        turned = linear_ir(builder, (row - matrix[twin]) / 2, vectors)
        result[i], result[twin] = builder.fadd(kept, turned), builder.fsub(kept, turned)
    return result


def transform(matrix: Any, lanes: int) -> Callable[..., Any]:
    """y = matrix x matrix^T on vectors: (x, row, col, y, y row, y col), addresses and strides in bytes.

    matrix  [m, n], constant; x holds n x n vectors, y takes m x m
    """
    m, n = matrix.shape
    kind = llvm_type(lanes)

    @intrinsic
    def apply(typingctx, x, row, col, y, y_row, y_col):
        def codegen(context, builder, sig, args):
            x, row, col, y, y_row, y_col = args
            columns = []
            for j in range(n):
                at = offset_ir(builder, x, col, j)
                vectors = [load_ir(builder, offset_ir(builder, at, row, i), kind) for i in range(n)]
                columns.append(matrix_vector_ir(builder, matrix, vectors))
            for i in range(m):
                at = offset_ir(builder, y, y_row, i)
                for j, v in enumerate(matrix_vector_ir(builder, matrix, [c[i] for c in columns])):
                    store_ir(builder, v, offset_ir(builder, at, y_col, j))
            return void(context)

        return types.void(*[intp] * 6), codegen

    return apply
