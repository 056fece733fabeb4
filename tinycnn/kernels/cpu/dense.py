"""Dense layers of few rows, which are limited by the bandwidth of their weights: read once, as they lie in the model.

    y[m][n] = clamp(a[m][k] . b[n][k] + bias[n] + r[m][n])

Eight rows of b at a time are multiplied with a row of a, a vector of k at a time; the sums over lanes follow.
"""

import functools
from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np

from tinycnn.kernels import convolution
from tinycnn.kernels.cpu import conv, cost, tuning
from tinycnn.kernels.cpu.gemm import source, tiled_rows
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, lowers
from tinycnn.kernels.matrix_product import Addend, MatrixProduct, addend, matrix_product

ROWS = 8
FIELDS = fields("a:addr b:addr bias:addr r:addr y:addr act:code act_args:addr lo:f32 hi:f32 m n k")


@functools.cache
def kernel(isa: str) -> Kernel:
    lanes = ISAS[isa].lanes
    block = max(lanes, ROWS)

    def build():
        from tinycnn.kernels.cpu.finish import finisher
        from tinycnn.kernels.cpu.simd import call, fma, inline, lane_sum, prefetch, store_f32, vectors
        from tinycnn.kernels.cpu.tuning import DENSE_PREFETCH_BYTES

        v = vectors(lanes)
        load, load_part, splat, finish = v.load, v.load_part, v.splat, finisher(lanes)

        @inline
        def dot(a, b, k):
            s = splat(0.0)
            p = 0
            while p + lanes <= k:
                s = fma(load(a + 4 * p), load(b + 4 * p), s)
                p += lanes
            return lane_sum(fma(load_part(a + 4 * p, k - p), load_part(b + 4 * p, k - p), s))

        @inline
        def four(x, b, row, s):
            """Adds the products of a vector of a with four rows of b."""
            s0, s1, s2, s3 = s
            for i in range(4):
                prefetch(b + i * row + DENSE_PREFETCH_BYTES)
            return (
                fma(x, load(b), s0), fma(x, load(b + row), s1),
                fma(x, load(b + 2 * row), s2), fma(x, load(b + 3 * row), s3),
            )  # fmt: skip

        @inline
        def end_four(x, b, row, s, rest, to):
            s0, s1, s2, s3 = s
            store_f32(to, lane_sum(fma(x, load_part(b, rest), s0)))
            store_f32(to + 4, lane_sum(fma(x, load_part(b + row, rest), s1)))
            store_f32(to + 8, lane_sum(fma(x, load_part(b + 2 * row, rest), s2)))
            store_f32(to + 12, lane_sum(fma(x, load_part(b + 3 * row, rest), s3)))

        @inline
        def eight_dots(a, b, k, to):
            row, zero = 4 * k, splat(0.0)
            s = t = (zero, zero, zero, zero)
            p = 0
            while p + lanes <= k:
                x, b0 = load(a + 4 * p), b + 4 * p
                s, t = four(x, b0, row, s), four(x, b0 + 4 * row, row, t)
                p += lanes
            x, b0 = load_part(a + 4 * p, k - p), b + 4 * p
            end_four(x, b0, row, s, k - p, to)
            end_four(x, b0 + 4 * row, row, t, k - p, to + 16)

        def dense(a, b, bias, r, y, act, act_args, lo, hi, m, n, k, thread, threads):
            items = (n + block - 1) // block
            for item in range(items * thread // threads, items * (thread + 1) // threads):
                first = item * block
                count = min(block, n - first)
                j = first
                while j < first + count:
                    together = j + ROWS <= first + count
                    for i in range(m):
                        to = y + 4 * (i * n + j)
                        if together:
                            eight_dots(a + 4 * i * k, b + 4 * j * k, k, to)
                        else:
                            store_f32(to, dot(a + 4 * i * k, b + 4 * j * k, k))
                    j += ROWS if together else 1
                for i in range(m):
                    place = 4 * (i * n + first)
                    for c in range(0, count, lanes):
                        at = place + 4 * c
                        x = load_part(y + at, count - c)
                        if bias != 0:
                            x = x + load_part(bias + 4 * (first + c), count - c)
                        finish(x, r + at if r != 0 else 0, y + at, lo, hi, count - c)
                    if act != 0:
                        call(act, act_args, y + place, count)

        return dense

    return Kernel(f"dense_f32_1x8__{isa}", FIELDS, build, ranges, isa)


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "m n k")
    yield Range("a", 0, 4 * v.m * v.k)
    yield Range("b", 0, 4 * v.n * v.k)
    yield Range("y", 0, 4 * v.m * v.n, writes=True)
    if v.r:
        yield Range("r", 0, 4 * v.m * v.n)
    if v.bias:
        yield Range("bias", 0, 4 * v.n)
    if v.act_args:
        yield Range("act_args", 0, 16)


def kernels(isa: str) -> Iterable[Kernel]:
    return [kernel(isa)]


def emit(r: Request, p: MatrixProduct, c: Addend, e: Emitter) -> None:
    b = r.values[1]
    assert b is not None
    e.row(
        kernel(r.target.name), a=e.input(0), b=e.weights("b", lambda: b), bias=source(e, "bias", c.bias),
        r=source(e, f"residual {p.m}", c.r), y=e.output(), m=p.m, n=p.n, k=p.k,
        **conv.epilogue(e, r.op.activation, r.target.name),
    )  # fmt: skip


@lowers("Gemm", "MatMul")
def dense(r: Request) -> Iterable[Choice]:
    """For weights that no cache holds: packing them would only cost time and memory."""
    p = matrix_product(r)
    c = addend(r, p) if p else None
    if p is None or c is None or r.values[0] is not None or r.values[1] is None:
        return
    if (p.a_step, p.b_step, p.alpha, len(p.pairs)) == (4, 4, 1.0, 1) and p.a_row == 4 * p.k:
        yield from offer(r, p, c)


@lowers("Conv")
def dense_convolution(r: Request) -> Iterable[Choice]:
    """For kernels that cover all of the input, once: what is left of a convolution is a dense layer."""
    p = convolution.problem(r)
    if p is None or (p.oh, p.ow, p.g) != (1, 1, 1) or (p.kh, p.kw, p.dh, p.dw) != (p.h, p.w, 1, 1) or p.padded:
        return
    k, bias = p.ci * p.kh * p.kw, convolution.weights(r)[1]
    product = MatrixProduct(p.n, p.co, k, ((0, 0),), 4 * k, 4, 4, 4 * k)
    c = Addend(None if bias is None else bias.astype(np.float32), 3 if convolution.has_residual(r) else None)
    yield from offer(r, product, c)


def offer(r: Request, p: MatrixProduct, c: Addend) -> Iterable[Choice]:
    b_bytes = 4 * p.n * p.k
    if tiled_rows(p, r.target.name) or b_bytes <= cost.caches().l2_bytes:
        return
    read = {0} | {i for i in (c.bias, c.r) if isinstance(i, int)}
    layouts: list[Layout | None] = ["plain" if i in read else None for i in range(len(r.inputs))]
    macs = p.m * p.n * p.k
    time_s = max(
        macs / (cost.core(r.target.name).peak_macs * tuning.DENSE_EFFICIENCY),
        tuning.DENSE_STREAM[b_bytes >= tuning.DENSE_BYTES] * cost.transfer_s(b_bytes),
    )
    run = functools.partial(emit, r, p, c)
    yield Choice("dense", layouts, "plain", time_s, f"{b_bytes:,} bytes of weights as they lie", run, macs=macs)
