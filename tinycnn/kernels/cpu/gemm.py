"""Matrix products: dense layers with packed weights, and products of two computed matrices.

    y[m][n] = clamp(a[m][k] b[k][n] + bias[n] + r[m][n])

b lies in panels of cols * lanes columns. Whole tiles of rows are packed into panels as well and multiplied tile by
tile, a chunk of b at a time that stays in cache. The rows that are left, and all of a small product, go one by one: a
row is limited by the bandwidth of b, and needs no more than four steps of k at a time in registers.
Source: Goto and van de Geijn 2008, ACM TOMS 34(3).
"""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cpu import conv, panels, tuning
from tinycnn.kernels.cpu.isa import ISAS, Isa
from tinycnn.kernels.cpu.panels import panels_bytes
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request, lowers

EPILOGUE = "bias:addr r:addr y:addr act:code act_args:addr lo:f32 hi:f32 "
TILE_FIELDS = fields("a:addr b:addr pairs:table spill:addr " + EPILOGUE + "batch m n k chunk a_batch b_batch y_batch")
ROW_FIELDS = fields(
    "a:addr b:addr pairs:table " + EPILOGUE + "batch m n k a_row a_step a_batch b_panel b_step b_batch y_batch"
)


def finisher(lanes: int) -> Any:
    """finish(x, r, y, lo, hi, count): clamp(x + r) to y, its first `count` lanes; nothing for count <= 0."""
    from tinycnn.kernels.cpu.simd import at_least, at_most, inline, store, store_part, vectors

    v = vectors(lanes)
    load_part, splat = v.load_part, v.splat

    @inline
    def finish(x, r, y, lo, hi, count):
        if count > 0:
            if r != 0:
                x = x + load_part(r, count)
            x = at_most(splat(hi), at_least(splat(lo), x))
            if count >= lanes:
                store(y, x)
            else:
                store_part(y, count, x)

    return finish


@functools.cache
def tile_kernel(isa: str) -> Kernel:
    """Both operands in panels; `pairs` holds (matrix of a, matrix of b) for each product of the batch, i64."""
    lanes = ISAS[isa].lanes
    rows, cols = tuning.GEMM_TILES[isa]
    nr = cols * lanes

    def build():
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
            batch, m, n, k, chunk, a_batch, b_batch, y_batch, thread, threads,
        ):  # fmt: skip
            strips, columns = (m + rows - 1) // rows, (n + nr - 1) // nr
            chunks = (columns + chunk - 1) // chunk
            items = batch * chunks * strips
            spill += thread * rows * nr * 4
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
    yield Range("spill", 0, rows * nr * 4, writes=True, per_thread=True)


def row_ranges(isa: str, v: SimpleNamespace) -> Iterable[Range]:
    nr = 2 * ISAS[isa].lanes
    a_bytes = (v.m - 1) * v.a_row + (v.k - 1) * v.a_step + 4
    b_bytes = (-(-v.n // nr) - 1) * v.b_panel + (v.k - 1) * v.b_step + nr * 4
    return ranges(nr, a_bytes, b_bytes, v)


def kernels(isa: str) -> Iterable[Kernel]:
    return [tile_kernel(isa), row_kernel(isa)]


@dataclass(frozen=True)
class Product:
    """A stack of products of matrices that lie plain. Steps in bytes.

    pairs  numbers of the matrices of a and of b in each product
    a_row, a_step; b_step, b_column   from one row or column to the next, from one k to the next
    alpha  factor of the product
    """

    m: int
    n: int
    k: int
    pairs: tuple[tuple[int, int], ...]
    a_row: int
    a_step: int
    b_step: int
    b_column: int
    alpha: float = 1.0

    @property
    def a_count(self) -> int:
        return 1 + max(a for a, _ in self.pairs)

    @property
    def b_count(self) -> int:
        return 1 + max(b for _, b in self.pairs)

    def tiled_rows(self, isa: str) -> int:
        """Rows that go by tiles; the others are cheaper one by one."""
        rows, _ = tuning.GEMM_TILES[isa]
        rest = self.m % rows
        return self.m if rest * tuning.GEMM_ROW_COST > rows else self.m - rest

    def time_s(self, isa: Isa, b_packed: bool) -> float:
        rows, cols = tuning.GEMM_TILES[isa.name]
        nr, batch = cols * isa.lanes, len(self.pairs)
        tiled = self.tiled_rows(isa.name)
        updates = -(-tiled // rows) * rows + tuning.GEMM_ROW_COST * (self.m - tiled)
        columns = -(-self.n // nr) * nr
        compute = batch * updates * columns * self.k / (tuning.PEAK_MACS[isa.name] * tuning.GEMM_EFFICIENCY)
        b_bytes = 4 * self.b_count * columns * self.k
        packed = 4 * batch * tiled * self.k + (0 if b_packed else b_bytes)
        return max(compute, tuning.transfer_s(b_bytes)) + packed * tuning.PACK_BYTE_S


def stack(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Pairs of matrices for leading axes a and b that broadcast."""
    numbers = (np.arange(math.prod(s)).reshape(s) for s in (a, b))
    left, right = np.broadcast_arrays(*numbers)
    return tuple(zip(left.ravel().tolist(), right.ravel().tolist(), strict=True))


def product(r: Request) -> Product | None:
    """The product of a Gemm or MatMul request; None unless f32 and not empty."""
    a, b = r.inputs[0], r.inputs[1]
    if a is None or b is None or a.dtype != np.float32 or b.dtype != np.float32 or not a.size * b.size:
        return None
    if r.node.kind == "Gemm":
        m, k = a.dims[::-1] if r.op.transA else a.dims
        n = b.dims[0] if r.op.transB else b.dims[1]
        a_steps, b_steps = ((4, 4 * m) if r.op.transA else (4 * k, 4)), ((4, 4 * k) if r.op.transB else (4 * n, 4))
        return Product(m, n, k, ((0, 0),), *a_steps, *b_steps, alpha=r.op.alpha)
    a_dims = a.dims if a.rank > 1 else (1, *a.dims)
    b_dims = b.dims if b.rank > 1 else (*b.dims, 1)
    (k, n), m, a_stack, b_stack = b_dims[-2:], a_dims[-2], a_dims[:-2], b_dims[:-2]
    if math.prod(b_stack) == 1:
        m, a_stack = m * math.prod(a_stack), ()
    return Product(m, n, k, stack(a_stack, b_stack), 4 * k, 4, 4 * n, 4)


@dataclass(frozen=True)
class Addend:
    """beta * C of a Gemm: constants to pack, or an input to read as it is."""

    bias: np.ndarray | int | None = None
    r: np.ndarray | int | None = None


def addend(r: Request, p: Product) -> Addend | None:
    """None where C is computed and is neither a row nor a full matrix, or is scaled."""
    if r.node.kind != "Gemm" or len(r.inputs) < 3 or r.inputs[2] is None:
        return Addend()
    dims, c = r.inputs[2].dims, r.values[2]
    is_row = math.prod(dims) in (1, p.n) and (len(dims) < 2 or dims[0] == 1)
    if c is not None:
        scaled = np.float32(r.op.beta) * c.astype(np.float32)
        if is_row:
            return Addend(bias=np.broadcast_to(scaled.ravel(), p.n))
        return Addend(r=np.broadcast_to(scaled, (p.m, p.n)))
    if r.op.beta != 1.0:
        return None
    if is_row and dims[-1:] == (p.n,):
        return Addend(bias=2)
    return Addend(r=2) if dims == (p.m, p.n) else None


def emit(r: Request, p: Product, c: Addend, e: Emitter) -> None:
    isa, lanes = r.target.name, r.target.lanes
    rows, cols = tuning.GEMM_TILES[isa]
    nr = cols * lanes
    m, n, k, batch = p.m, p.n, p.k, len(p.pairs)
    tiled, columns = p.tiled_rows(isa), -(-n // nr)
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
        chunk = max(1, tuning.L2_BYTES // 2 // (k * nr * 4))
        strips = -(-tiled // rows)
        share = -(-columns * strips * batch // (4 * r.threads))
        e.row(
            tile_kernel(isa), a=packed, y=y, r=full, m=tiled, a_batch=a_batch,
            chunk=min(chunk, columns, max(1, share)), spill=e.scratch(rows * nr * 4 * r.threads), **shared,
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


def place_b(r: Request, p: Product, nr: int, tiled: int, e: Emitter) -> tuple[Ref, dict[str, int], int]:
    """Where b lies, its steps b_panel and b_step, and the bytes from one matrix to the next: packed with the weights,
    packed at run time, or as it is when every row goes alone."""
    isa, (n, k, count), constant = r.target.name, (p.n, p.k, p.b_count), r.values[1]
    steps, b_batch = {"b_panel": k * nr * 4, "b_step": nr * 4}, panels_bytes(n, k, nr)
    if constant is not None:
        columns = constant.reshape(-1, n, k) if p.b_step == 4 else constant.reshape(-1, k, n).swapaxes(1, 2)
        return e.weights(f"panels {nr}", lambda: panels.panels(columns * np.float32(p.alpha), nr)), steps, b_batch
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
    p = product(r)
    c = addend(r, p) if p else None
    if p is None or c is None:
        return
    read = {i for i in (0, 1) if r.values[i] is None} | {i for i in (c.bias, c.r) if isinstance(i, int)}
    layouts: list[Layout | None] = ["plain" if i in read else None for i in range(len(r.inputs))]
    tiled = p.tiled_rows(r.target.name)
    reason = f"{tiled} rows of {p.m} by tiles, b {'packed' if r.values[1] is not None else 'computed'}"
    time_s = p.time_s(r.target, r.values[1] is not None)
    yield Choice("gemm", layouts, "plain", time_s, reason, functools.partial(emit, r, p, c))
