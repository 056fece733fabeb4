"""Which products of matrices the CUDA kernels take: dense layers on constant weights, and computed operands."""

import functools
from collections.abc import Iterable

import numpy as np

from tinycnn.kernels.cuda import conv_im2col, dense, epilogue, tuning
from tinycnn.kernels.cuda.conv_im2col import Plan, Product
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, CudaKernel
from tinycnn.kernels.cuda.matmul import matmul
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request, lowers
from tinycnn.kernels.matrix_product import Addend, MatrixProduct, addend, matrix_product


def kernels(target: str) -> Iterable[CudaKernel]:
    """All are of other families."""
    return ()


def source(e: Emitter, key: str, what: np.ndarray | int | None) -> Ref | int:
    """Where an addend lies: packed, an input, or nowhere."""
    if what is None:
        return 0
    return e.input(what) if isinstance(what, int) else e.weights(key, lambda: what)


def weights(r: Request, p: MatrixProduct) -> np.ndarray:
    """Constant b as f32 [n, k], scaled."""
    b = r.values[1]
    assert b is not None
    rows = b.reshape(p.n, p.k) if p.b_step == 4 else b.reshape(p.k, p.n).T
    return rows.astype(np.float32) * np.float32(p.alpha)


def emit_row(r: Request, p: MatrixProduct, c: Addend, e: Emitter) -> None:
    w = e.weights("dense", lambda: dense.pack(weights(r, p)))
    e.row(
        dense.dense(epilogue.function(r.op.activation), r.target.name), x=e.input(0), w=w, y=e.output(), n=p.n, k=p.k,
        b=source(e, "bias", c.bias), r=source(e, "addend", c.r), **epilogue.values(r.op.activation),
    )  # fmt: skip


def emit_packed(r: Request, p: MatrixProduct, c: Addend, plan: Plan, e: Emitter) -> None:
    packed = e.weights(
        f"dense {plan.tile} {plan.tile.precision}",
        lambda: conv_im2col.pack(weights(r, p).reshape(1, p.n, p.k, 1, 1), plan.tile),
    )
    plan.emit(
        e, e.input(0), packed, e.output(), r.target.name, b=source(e, "bias", c.bias), r=source(e, "addend", c.r),
        activation=r.op.activation,
    )  # fmt: skip


def emit_computed(r: Request, p: MatrixProduct, c: Addend, e: Emitter) -> None:
    a, b = (e.input(i) if (v := r.values[i]) is None else operand(e, i, v) for i in (0, 1))
    e.row(
        matmul(epilogue.function(r.op.activation), r.target.name), a=a, b=b, bias=source(e, "bias", c.bias),
        r=source(e, "addend", c.r), y=e.output(), pairs=e.table(np.array(p.pairs, np.int64)), batch=len(p.pairs),
        m=p.m, n=p.n, k=p.k, a_row=p.a_row // 4, a_step=p.a_step // 4, b_step=p.b_step // 4,
        b_column=p.b_column // 4, scale=p.alpha, **epilogue.values(r.op.activation),
    )  # fmt: skip


def operand(e: Emitter, i: int, value: np.ndarray) -> Ref:
    return e.weights(f"operand {i}", lambda: value)


@lowers("Gemm", "MatMul", on="cuda")
def gemm(r: Request) -> Iterable[Choice]:
    p = matrix_product(r)
    c = addend(r, p) if p else None
    if p is None or c is None or max(p.m * p.k, p.k * p.n, p.m * p.n) * len(p.pairs) >= MOST_ELEMENTS:
        return
    read = {i for i in (0, 1) if r.values[i] is None} | {i for i in (c.bias, c.r) if isinstance(i, int)}
    layouts: list[Layout | None] = ["plain" if i in read else None for i in range(len(r.inputs))]
    constant = r.values[1] is not None and r.values[0] is None and len(p.pairs) == 1
    if constant and p.a_step == 4 and p.m > 1:
        plan = conv_im2col.best(Product(p.m, 1, p.k, 1, 1, p.n, 1, 1), r.target)
        reason = f"{plan.tile} tiles, {plan.splits} splits"
        yield Choice("gemm", layouts, "plain", plan.time_s, reason, functools.partial(emit_packed, r, p, c, plan))
    elif constant and p.m == 1:
        time_s, reason = tuning.transfer_s(4 * p.n * p.k), "every weight is read once"
        yield Choice("dense", layouts, "plain", time_s, reason, functools.partial(emit_row, r, p, c))
    else:
        macs = p.m * p.n * p.k * len(p.pairs)
        time_s = tuning.ROW_S + macs / (0.3 * tuning.PEAK_MACS["f32"] * r.target.multiprocessors)
        reason = "both operands are computed"
        yield Choice("matmul", layouts, "plain", time_s, reason, functools.partial(emit_computed, r, p, c))
