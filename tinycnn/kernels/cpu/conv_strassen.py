"""1x1 convolution by one step of Strassen's algorithm: seven products of quarters where there are eight.

    y = x w, x [pixels, ci], w [ci, co], ci cut in the middle, pixels and vectors of co into even and odd ones

The sums of quarters of x that are multiplied are formed a chunk of tiles at a time, in scratch of this thread's own,
from zeros for pixels that are not there; those of w are packed once. Each product is added to the outputs that it
belongs to while it is in registers, the last to an output with bias and residual. Threads have equal shares of all
tiles times pairs of columns, those of one slice of the columns before the next one's; the sums of a tile in two shares
are formed in both. A pixel and its neighbour share rounding errors, and what is not finite.

Source: Strassen 1969, Numer. Math. 13, 354-356; fused as Huang et al. 2016, SC, "Strassen's Algorithm Reloaded".
"""

import functools
from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np

from tinycnn.kernels import convolution
from tinycnn.kernels.cpu import conv, tuning
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.cpu.strassen_plan import ADD, NONE, SET, SUBTRACT, WAYS, Plan, X, Y
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Request, can_block, lowers

FIELDS = fields(
    "x:addr w:addr bias:addr res:addr y:addr act:code act_args:addr scratch:addr lo:f32 hi:f32 "
    "images tiles slices kgroups chunk cblocks pixels plane ow row_step pixel_step scratch_bytes"
)


@functools.cache
def kernel(isa: str, rows: int, cols: int, strided: bool) -> Kernel:
    lanes = ISAS[isa].lanes
    nr = cols * lanes

    def build():
        from tinycnn.kernels.cpu.simd import call, inline, jit, prefetch_l2, store, vectors
        from tinycnn.kernels.cpu.tile import tiles

        tile, v = tiles(rows, cols, lanes), vectors(lanes)
        load, splat = v.load, v.splat
        zeros, update, finish, add, negate = tile.zeros, tile.update, tile.finish, tile.add, tile.negate
        vec, nr_bytes = 4 * lanes, 4 * nr
        products = len(X)
        # One table of numbers: one of tables would hold addresses, which an image cannot.
        targets = tuple(WAYS * quarter + how for product in Y for quarter, how in product)

        @inline
        def place(pixel, ow, row_step, pixel_step):
            return pixel // ow * row_step + pixel % ow * pixel_step if strided else pixel * vec

        @jit
        def form_sums(x, to, first, count, cblocks, plane, pixels, ow, row_step, pixel_step):
            """Of `count` tiles of pairs of pixels from pair `first` on."""
            panel, zero, across = cblocks * count * rows * vec, splat(0.0), cblocks * plane
            for cb in range(cblocks):
                for p in range(first, first + count * rows):
                    a11, a12, a21, a22 = zero, zero, zero, zero
                    if 2 * p < pixels:
                        a = x + cb * plane + place(2 * p, ow, row_step, pixel_step)
                        a11, a12 = load(a), load(a + across)
                    if 2 * p + 1 < pixels:
                        a = x + cb * plane + place(2 * p + 1, ow, row_step, pixel_step)
                        a21, a22 = load(a), load(a + across)
                    s = to + (cb * count * rows + p - first) * vec
                    store(s, a11 + a22)
                    store(s + panel, a11)
                    store(s + 2 * panel, a21 + a22)
                    store(s + 3 * panel, a22)
                    store(s + 4 * panel, a11 + a12)
                    store(s + 5 * panel, a21 - a11)
                    store(s + 6 * panel, a12 - a22)

        @inline
        def accumulate(acc, a, column, b, cblocks, soon, ahead):
            for cb in range(cblocks):
                for c in range(lanes):
                    acc = update(acc, a + cb * column + c * 4, vec, b)
                    b += nr_bytes
                    prefetch_l2(soon)
                    soon += ahead
            return acc

        @inline
        def put(acc, how, y, column, bias, res, lo, hi, valid):
            if how == SET:
                finish(acc, 0, 0, y, 2 * vec, column, -np.inf, np.inf, valid, cols)
            elif how == ADD:
                finish(acc, 0, y, y, 2 * vec, column, -np.inf, np.inf, valid, cols)
            elif how == SUBTRACT:
                finish(negate(acc), 0, y, y, 2 * vec, column, -np.inf, np.inf, valid, cols)
            else:
                finish(add(acc, y, 2 * vec, column, cols), bias, res, y, 2 * vec, column, lo, hi, valid, cols)

        def conv_strassen(
            x, w, bias, res, y, act, act_args, scratch, lo, hi,
            images, tiles, slices, kgroups, chunk, cblocks, pixels, plane, ow, row_step, pixel_step, scratch_bytes,
            thread, threads,
        ):  # fmt: skip
            """cblocks: of half the channels; kgroups: of pairs of columns, in each slice; tiles: of pairs of pixels."""
            column = pixels * vec
            panel = cblocks * lanes * nr_bytes
            mine = scratch + thread * scratch_bytes
            units = slices * images * tiles * kgroups
            unit, stop = units * thread // threads, units * (thread + 1) // threads
            while unit < stop:
                kg_first, first, n = unit % kgroups, unit // kgroups % tiles, unit // kgroups // tiles
                kg_base, n = n // images * kgroups, n % images
                count, kg_last = 1, min(kgroups, kg_first + stop - unit)
                if kg_last - kg_first == kgroups:
                    whole = min(tiles - first, (stop - unit) // kgroups)
                    chunks = (whole + chunk - 1) // chunk
                    count = (whole + chunks - 1) // chunks
                unit += count * (kg_last - kg_first)
                source = x + 2 * n * cblocks * plane
                form_sums(source, mine, first * rows, count, cblocks, plane, pixels, ow, row_step, pixel_step)
                for kg in range(kg_base + kg_first, kg_base + kg_last):
                    for i in range(products):
                        b = w + (kg * products + i) * panel
                        soon, ahead = b + panel, max(1, nr_bytes // count)
                        for q in range(count):
                            a = mine + (i * cblocks * count + q) * rows * vec
                            acc = accumulate(zeros(), a, count * rows * vec, b, cblocks, soon, ahead)
                            soon += cblocks * lanes * ahead
                            for target in (targets[2 * i], targets[2 * i + 1]):
                                quarter, how = target // WAYS, target % WAYS
                                pixel = 2 * (first + q) * rows + quarter // 2
                                valid = min(rows, (pixels - pixel + 1) // 2)
                                if how == NONE or valid <= 0:
                                    continue
                                block = 2 * kg * cols + quarter % 2
                                at = (2 * n * slices * kgroups * cols + block) * column + pixel * vec
                                put(
                                    acc, how, y + at, 2 * column,
                                    bias + (2 * kg + quarter % 2) * nr_bytes if bias != 0 else 0,
                                    res + at if res != 0 else 0, lo, hi, valid,
                                )  # fmt: skip
                    if act != 0:
                        pixel = 2 * first * rows
                        valid = min(2 * count * rows, pixels - pixel)
                        for j in range(2 * cols):
                            block = 2 * (n * slices * kgroups + kg) * cols + j
                            call(act, act_args, y + block * column + pixel * vec, valid * lanes)

        return conv_strassen

    name = f"conv_strassen{'_strided' if strided else ''}_f32_nchw{lanes}c_{rows}x{cols}__{isa}"
    return Kernel(name, FIELDS, build, functools.partial(ranges, rows, cols, lanes, strided), isa)


def ranges(rows: int, cols: int, lanes: int, strided: bool, a: SimpleNamespace) -> Iterable[Range]:
    vector = 4 * lanes
    require_positive(a, "chunk tiles slices kgroups pixels ow")
    require(2 * (a.tiles - 1) * rows < a.pixels, "tiles lie outside of the pixels")
    require(len(X) * a.cblocks * min(a.chunk, a.tiles) * rows * vector <= a.scratch_bytes, "the scratch is too small")
    last = (a.pixels - 1) // a.ow * a.row_step + (min(a.pixels, a.ow) - 1) * a.pixel_step + vector
    require((last if strided else a.pixels * vector) <= a.plane, "pixels lie outside of the input")
    beyond = max(0, 2 * a.tiles * rows - a.pixels) * vector
    y_bytes = a.images * 2 * a.slices * a.kgroups * cols * a.pixels * vector
    yield Range("x", 0, a.images * 2 * a.cblocks * a.plane)
    yield Range("w", 0, len(X) * a.slices * a.kgroups * a.cblocks * lanes * 4 * cols * lanes)
    yield Range("y", 0, y_bytes + beyond)
    yield Range("y", 0, y_bytes, writes=True)
    yield Range("scratch", 0, a.scratch_bytes, writes=True, per_thread=True)
    if a.bias:
        yield Range("bias", 0, 2 * a.slices * a.kgroups * cols * vector)
    if a.res:
        yield Range("res", 0, y_bytes + beyond)
    if a.act_args:
        yield Range("act_args", 0, 16)


def kernels(isa: str) -> Iterable[Kernel]:
    return [kernel(isa, *tile, strided) for tile in tuning.STRASSEN_TILES[isa] for strided in (False, True)]


def emit(r: Request, plan: Plan, e: Emitter) -> None:
    w, bias = convolution.weights(r)
    scratch = e.apart(plan.scratch_bytes)
    e.row(
        kernel(plan.isa, plan.rows, plan.cols, not plan.p.pixelwise),
        x=e.input(0),
        w=e.weights(f"strassen {plan.cols} {plan.lanes}", lambda: plan.pack(w)),
        bias=0 if bias is None else e.weights(f"strassen bias {plan.cols}", lambda: plan.pack_bias(bias)),
        res=e.input(3) if convolution.has_residual(r) else 0,
        y=e.output(),
        scratch=scratch,
        images=plan.p.n,
        tiles=plan.tiles,
        slices=plan.slices,
        kgroups=plan.kgroups // plan.slices,
        chunk=plan.chunk,
        cblocks=plan.cblocks,
        pixels=plan.pixels,
        plane=4 * plan.lanes * plan.p.h * plan.p.w,
        ow=plan.p.ow,
        row_step=4 * plan.lanes * plan.p.sh * plan.p.w,
        pixel_step=4 * plan.lanes * plan.p.sw,
        scratch_bytes=scratch.stride,
        **conv.epilogue(e, r.op.activation, plan.isa),
    )


@lowers("Conv")
def strassen(r: Request) -> Iterable[Choice]:
    """For 1x1 kernels without padding, between channels whose halves are whole columns of register tiles."""
    p, lanes = convolution.problem(r), r.target.lanes
    if p is None or not can_block(r.inputs[0]) or (p.kh, p.kw, p.g) != (1, 1, 1) or p.padded:
        return
    for rows, cols in tuning.STRASSEN_TILES[r.target.name]:
        if p.ci % (2 * lanes) or p.co % (2 * lanes * cols) or p.oh * p.ow <= rows:
            continue
        plan = Plan(p, r.target.name, rows, cols, r.threads)
        yield Choice(
            "strassen",
            conv.input_layouts(r, "blocked"),
            "blocked",
            plan.time_s,
            f"{p.macs / plan.macs:.2f} times fewer multiply-adds, {rows}x{cols} tile, {plan.chunk} at a time",
            functools.partial(emit, r, plan),
            macs=plan.macs,
            variant=f"{rows}x{cols}",
        )
