"""Matrix products: dense layers with packed weights, and products of two computed matrices.

    y[m][n] = clamp(a[m][k] b[k][n] + bias[n] + r[m][n])

b lies in panels of cols * lanes columns. Whole tiles of rows are packed into panels as well and multiplied tile by
tile, a chunk of b at a time that stays in cache. The rows that are left, and all of a small product, go one by one: a
row is limited by the bandwidth of b, and needs no more than four steps of k at a time in registers.
Source: Goto and van de Geijn 2008, ACM TOMS 34(3).
"""

import functools
from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np

from tinycnn.kernels.cpu import conv, cost, panels, tuning
from tinycnn.kernels.cpu.isa import ISAS, Isa
from tinycnn.kernels.cpu.panels import panels_bytes
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request, lowers
from tinycnn.kernels.matrix_product import Addend, MatrixProduct, addend, matrix_product

EPILOGUE = "bias:addr r:addr y:addr act:code act_args:addr lo:f32 hi:f32 "
TILE_FIELDS = fields(
    "a:addr b:addr pairs:table spill:addr " + EPILOGUE + "batch m n k chunk a_batch b_batch y_batch spill_bytes"
)
ROW_FIELDS = fields(
    "a:addr b:addr pairs:table " + EPILOGUE + "batch m n k a_row a_step a_batch b_panel b_step b_batch y_batch"
)


@functools.cache
def tile_kernel(isa: str) -> Kernel:
    """Both operands in panels; `pairs` holds (matrix of a, matrix of b) for each product of the batch, i64."""
    lanes = ISAS[isa].lanes
    rows, cols = tuning.GEMM_TILES[isa]
    nr = cols * lanes

    def build():
        from tinycnn.kernels.cpu.finish import finisher
        from tinycnn.kernels.cpu.simd import call, inline, load_i64, vectors
        from tinycnn.kernels.cpu.tile import tiles

        tile, load = tiles(rows, cols, lanes), vectors(lanes).load
        zeros, update, finish_tile, finish = tile.zeros, tile.update, tile.finish, finisher(lanes)
        infinity = np.float32(np.inf)

        @inline
        def spilled(acc, bias, r, y, row, valid, count, lo, hi, spill):
            """A tile that reaches over the last row or column."""
            finish_tile(acc, bias, 0, spill, nr * 4, lanes * 4, -infinity, infinity, rows, cols)
            for i in range(valid):
                for j in range(cols):
                    x = load(spill + (i * nr + j * lanes) * 4)
                    place = i * row + j * lanes * 4
                    finish(x, r + place if r != 0 else 0, y + place, lo, hi, count - j * lanes)

        def gemm(
            a, b, pairs, spill, bias, r, y, act, act_args, lo, hi,
            batch, m, n, k, chunk, a_batch, b_batch, y_batch, spill_bytes, thread, threads,
        ):  # fmt: skip
            strips, columns = (m + rows - 1) // rows, (n + nr - 1) // nr
            chunks = (columns + chunk - 1) // chunk
            items = batch * chunks * strips
            spill += thread * spill_bytes
            for item in range(items * thread // threads, items * (thread + 1) // threads):
                pair, strip = item // strips, item % strips
                pair, first = pair // chunks, pair % chunks * chunk
                a0 = a + load_i64(pairs + pair * 16) * a_batch + strip * rows * k * 4
                b0 = b + load_i64(pairs + pair * 16 + 8) * b_batch
                valid = min(rows, m - strip * rows)
                for column in range(first, min(columns, first + chunk)):
                    acc = zeros()
                    b1 = b0 + column * k * nr * 4
                    for p in range(k):
                        acc = update(acc, a0 + p * rows * 4, 4, b1 + p * nr * 4)
                    place = (strip * rows * n + column * nr) * 4
                    to = y + pair * y_batch + place
                    r1 = r + place if r != 0 else 0
                    bias1 = bias + column * nr * 4 if bias != 0 else 0
                    count = min(nr, n - column * nr)
                    if valid == rows and count == nr:
                        finish_tile(acc, bias1, r1, to, n * 4, lanes * 4, lo, hi, rows, cols)
                    else:
                        spilled(acc, bias1, r1, to, n * 4, valid, count, lo, hi, spill)
                    if act != 0:
                        for i in range(valid):
                            call(act, act_args, to + i * n * 4, count)

        return gemm

    return Kernel(f"gemm_f32_{rows}x{cols}__{isa}", TILE_FIELDS, build, functools.partial(tile_ranges, isa), isa)


@functools.cache
def row_kernel(isa: str) -> Kernel:
    """Row by row. Panels of b lie b_panel bytes apart, their rows b_step: b may also be a plain matrix."""
    lanes = ISAS[isa].lanes
    nr, vector = 2 * lanes, 4 * lanes

    def build():
        from tinycnn.kernels.cpu.finish import finisher
        from tinycnn.kernels.cpu.simd import call, fma, inline, load_i64, prefetch, vectors
        from tinycnn.kernels.cpu.tuning import GEMM_PREFETCH_BYTES

        v = vectors(lanes)
        load, splat, load_splat, finish = v.load, v.splat, v.load_splat, finisher(lanes)

        @inline
        def step(a, b, left, right):
            prefetch(b + GEMM_PREFETCH_BYTES)
            prefetch(b + GEMM_PREFETCH_BYTES + 64)
            x = load_splat(a)
            return fma(x, load(b), left), fma(x, load(b + vector), right)

        @inline
        def dot(a, a_step, b, b_step, k):
            """Two vectors of columns. Four sums hide the latency of the multiply-adds."""
            s0 = s1 = s2 = s3 = t0 = t1 = t2 = t3 = splat(0.0)
            for _ in range(k // 4):
                s0, t0 = step(a, b, s0, t0)
                s1, t1 = step(a + a_step, b + b_step, s1, t1)
                s2, t2 = step(a + 2 * a_step, b + 2 * b_step, s2, t2)
                s3, t3 = step(a + 3 * a_step, b + 3 * b_step, s3, t3)
                a += 4 * a_step
                b += 4 * b_step
            for _ in range(k % 4):
                s0, t0 = step(a, b, s0, t0)
                a += a_step
                b += b_step
            return (s0 + s1) + (s2 + s3), (t0 + t1) + (t2 + t3)

        def gemm(
            a, b, pairs, bias, r, y, act, act_args, lo, hi,
            batch, m, n, k, a_row, a_step, a_batch, b_panel, b_step, b_batch, y_batch,
            thread, threads,
        ):  # fmt: skip
            columns = (n + nr - 1) // nr
            for item in range(batch * columns * thread // threads, batch * columns * (thread + 1) // threads):
                pair, column = item // columns, item % columns
                a0 = a + load_i64(pairs + pair * 16) * a_batch
                b0 = b + load_i64(pairs + pair * 16 + 8) * b_batch + column * b_panel
                count = min(nr, n - column * nr)
                for i in range(m):
                    left, right = dot(a0 + i * a_row, a_step, b0, b_step, k)
                    if bias != 0:
                        left = left + load(bias + column * nr * 4)
                        right = right + load(bias + column * nr * 4 + vector)
                    place = (i * n + column * nr) * 4
                    to = y + pair * y_batch + place
                    finish(left, r + place if r != 0 else 0, to, lo, hi, count)
                    finish(right, r + place + vector if r != 0 else 0, to + vector, lo, hi, count - lanes)
                    if act != 0:
                        call(act, act_args, to, count)

        return gemm

    return Kernel(f"gemm_f32_1x2__{isa}", ROW_FIELDS, build, functools.partial(row_ranges, isa), isa)


def ranges(nr: int, a_bytes: int, b_bytes: int, v: SimpleNamespace) -> Iterable[Range]:
    """What both kernels touch, given how far they reach into one matrix of a and of b."""
    require_positive(v, "batch m n k")
    pairs = v.pairs[: 2 * v.batch].reshape(v.batch, 2)
    require(pairs.min() >= 0, "matrices that do not exist")
    a, b = (int(number) for number in pairs.max(0))
    yield Range("a", 0, a * v.a_batch + a_bytes)
    yield Range("b", 0, b * v.b_batch + b_bytes)
    yield Range("y", 0, (v.batch - 1) * v.y_batch + v.m * v.n * 4, writes=True)
    if v.r:
        yield Range("r", 0, v.m * v.n * 4)
    if v.bias:
        yield Range("bias", 0, -(-v.n // nr) * nr * 4)
    if v.act_args:
        yield Range("act_args", 0, 16)


def tile_ranges(isa: str, v: SimpleNamespace) -> Iterable[Range]:
    rows, cols = tuning.GEMM_TILES[isa]
    nr = cols * ISAS[isa].lanes
    require_positive(v, "chunk")
    yield from ranges(nr, panels_bytes(v.m, v.k, rows), panels_bytes(v.n, v.k, nr), v)
    require(rows * nr * 4 <= v.spill_bytes, "the spill is too small")
    yield Range("spill", 0, v.spill_bytes, writes=True, per_thread=True)


def row_ranges(isa: str, v: SimpleNamespace) -> Iterable[Range]:
    nr = 2 * ISAS[isa].lanes
    a_bytes = (v.m - 1) * v.a_row + (v.k - 1) * v.a_step + 4
    b_bytes = (-(-v.n // nr) - 1) * v.b_panel + (v.k - 1) * v.b_step + nr * 4
    return ranges(nr, a_bytes, b_bytes, v)


def kernels(isa: str) -> Iterable[Kernel]:
    return [tile_kernel(isa), row_kernel(isa)]


def tiled_rows(p: MatrixProduct, isa: str) -> int:
    """Rows that go by tiles; the others are cheaper one by one."""
    rows, _ = tuning.GEMM_TILES[isa]
    rest = p.m % rows
    return p.m if rest * tuning.GEMM_ROW_COST > rows else p.m - rest


def time_s(p: MatrixProduct, isa: Isa, b_packed: bool) -> float:
    rows, cols = tuning.GEMM_TILES[isa.name]
    nr, batch = cols * isa.lanes, len(p.pairs)
    tiled = tiled_rows(p, isa.name)
    updates = -(-tiled // rows) * rows + tuning.GEMM_ROW_COST * (p.m - tiled)
    columns = -(-p.n // nr) * nr
    compute = batch * updates * columns * p.k / (cost.core(isa.name).peak_macs * tuning.GEMM_EFFICIENCY)
    b_bytes = 4 * p.b_count * columns * p.k
    packed = 4 * batch * tiled * p.k + (0 if b_packed else b_bytes)
    return max(compute, cost.transfer_s(b_bytes)) + packed * tuning.PACK_BYTE_S


def macs(p: MatrixProduct, isa: Isa) -> int:
    """In whole tiles, and in whole pairs of vectors for rows that go one by one."""
    rows, cols = tuning.GEMM_TILES[isa.name]
    tiled = tiled_rows(p, isa.name)
    by_tiles = -(-tiled // rows) * rows * -(-p.n // (cols * isa.lanes)) * cols * isa.lanes
    by_rows = (p.m - tiled) * -(-p.n // (2 * isa.lanes)) * 2 * isa.lanes
    return len(p.pairs) * p.k * (by_tiles + by_rows)


def emit(r: Request, p: MatrixProduct, c: Addend, e: Emitter) -> None:
    isa, lanes = r.target.name, r.target.lanes
    rows, cols = tuning.GEMM_TILES[isa]
    nr = cols * lanes
    m, n, k, batch = p.m, p.n, p.k, len(p.pairs)
    tiled, columns = tiled_rows(p, isa), -(-n // nr)
    a = e.input(0) if r.values[0] is None else e.weights("a", lambda: np.asarray(r.values[0]))
    b, b_steps, b_batch = place_b(r, p, nr, tiled, e)
    bias = conv.padded_bias(c.bias, columns * nr) if isinstance(c.bias, np.ndarray) else c.bias
    shared = {
        "b": b,
        "pairs": e.table(np.array(p.pairs, np.int64)),
        "bias": source(e, f"bias {nr}", bias),
        "batch": batch,
        "n": n,
        "k": k,
        "b_batch": b_batch,
        "y_batch": 4 * m * n,
        **conv.epilogue(e, r.op.activation, isa),
    }
    y, full = e.output(), source(e, f"residual {m}", c.r)
    if tiled:
        a_batch = panels_bytes(tiled, k, rows)
        packed = e.scratch(p.a_count * a_batch)
        e.row(
            panels.kernel(isa, rows), x=a, y=packed, alpha=1.0, batch=p.a_count, lines=tiled, depth=k,
            line_step=p.a_row, depth_step=p.a_step, batch_step=4 * m * k,
        )  # fmt: skip
        chunk = max(1, cost.caches().l2_bytes // 2 // (k * nr * 4))
        strips = -(-tiled // rows)
        share = -(-columns * strips * batch // (4 * r.threads))
        spill = e.apart(rows * nr * 4)
        e.row(
            tile_kernel(isa), a=packed, y=y, r=full, m=tiled, a_batch=a_batch,
            chunk=min(chunk, columns, max(1, share)), spill=spill, spill_bytes=spill.stride, **shared,
        )  # fmt: skip
    if tiled < m:
        rest, skipped = m - tiled, tiled * n * 4
        e.row(
            row_kernel(isa), a=a + tiled * p.a_row, y=y + skipped, r=full + skipped if isinstance(full, Ref) else 0,
            m=rest, a_row=p.a_row, a_step=p.a_step, a_batch=4 * m * k, **b_steps, **shared,
        )  # fmt: skip


def source(e: Emitter, key: str, what: np.ndarray | int | None) -> Ref | int:
    """Where an addend lies: packed, an input, or nowhere."""
    if what is None:
        return 0
    return e.input(what) if isinstance(what, int) else e.weights(key, lambda: what)


def place_b(r: Request, p: MatrixProduct, nr: int, tiled: int, e: Emitter) -> tuple[Ref, dict[str, int], int]:
    """Where b lies, its steps b_panel and b_step, and the bytes from one matrix to the next: packed with the weights,
    packed at run time, or as it is when every row goes alone."""
    isa, (n, k, count), constant = r.target.name, (p.n, p.k, p.b_count), r.values[1]
    steps, b_batch = {"b_panel": k * nr * 4, "b_step": nr * 4}, panels_bytes(n, k, nr)
    if constant is not None:
        columns = constant.reshape(-1, n, k) if p.b_step == 4 else constant.reshape(-1, k, n).swapaxes(1, 2)
        if p.alpha != 1.0:
            columns = columns * np.float32(p.alpha)
        return e.weights(f"panels {nr}", lambda: panels.panels(columns, nr)), steps, b_batch
    if not tiled and p.b_column == 4 and p.alpha == 1.0:
        return e.input(1), {"b_panel": nr * 4, "b_step": p.b_step}, 4 * n * k
    packed = e.scratch(count * b_batch)
    e.row(
        panels.kernel(isa, nr), x=e.input(1), y=packed, alpha=p.alpha, batch=count, lines=n, depth=k,
        line_step=p.b_column, depth_step=p.b_step, batch_step=4 * n * k,
    )  # fmt: skip
    return packed, steps, b_batch


@lowers("Gemm", "MatMul")
def gemm(r: Request) -> Iterable[Choice]:
    p = matrix_product(r)
    c = addend(r, p) if p else None
    if p is None or c is None:
        return
    read = {i for i in (0, 1) if r.values[i] is None} | {i for i in (c.bias, c.r) if isinstance(i, int)}
    layouts: list[Layout | None] = ["plain" if i in read else None for i in range(len(r.inputs))]
    tiled = tiled_rows(p, r.target.name)
    reason = f"{tiled} rows of {p.m} by tiles, b {'packed' if r.values[1] is not None else 'computed'}"
    predicted_s = time_s(p, r.target, r.values[1] is not None)
    run = functools.partial(emit, r, p, c)
    yield Choice("gemm", layouts, "plain", predicted_s, reason, run, macs=macs(p, r.target))
