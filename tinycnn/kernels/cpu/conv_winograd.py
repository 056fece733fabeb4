"""Winograd convolution F(m x m, r x r): (m + r - 1)^2 products for m^2 outputs of an r x r kernel, block by block.

A block of tiles at a time, in scratch of this thread's own that stays in its cache:

    v[e][ci / lanes][tile][lanes] = B^T d B    input tiles of m + r - 1, m apart
    p[e][tile][co] = v[e] u[e]                 one product for each element e of a tile; u = G g G^T, packed once
    y = A^T p A                                then bias, residual and activation

Source: Lavin and Gray 2015, arXiv:1509.09308, section 4; fused by blocks as Jia et al. 2018, PPoPP, section 3.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from tinycnn.ir.memory import readable
from tinycnn.kernels import convolution
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cpu import conv, cost, tuning
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request, blocks, can_block, lowers
from tinycnn.kernels.winograd_matrices import matrices

PACKED_AT_ONCE = 64  # input channels whose products in float64 stay in cache
SCHEMES = ((2, 3), (4, 3), (6, 3), (4, 4), (5, 4), (2, 5), (4, 5))  # (m, r)
BLOCKS_OFFERED = 2  # of each register tile: the cost model takes one of the first, others may measure
FIELDS = fields(
    "x:addr u:addr bias:addr res:addr y:addr act:code act_args:addr scratch:addr lo:f32 hi:f32 "
    "items ksplits n_blocks block tiles tiles_w kgroups kblocks ci cblocks h w oh ow pt:signed pl:signed "
    "scratch_bytes images"
)


@functools.cache
def kernel(isa: str, m: int, r: int, rows: int, cols: int) -> Kernel:
    lanes = ISAS[isa].lanes
    nr, size = cols * lanes, m + r - 1

    def build():
        from tinycnn.kernels.cpu.simd import (
            at_least,
            at_most,
            call,
            inline,
            jit,
            prefetch_l2,
            store,
            vectors,
        )
        from tinycnn.kernels.cpu.tile import tiles
        from tinycnn.kernels.cpu.transforms import transform
        from tinycnn.kernels.cpu.tuning import L2_ROWS
        from tinycnn.kernels.winograd_matrices import matrices  # here too: the cache goes by what `build` imports

        tile, v = tiles(rows, cols, lanes), vectors(lanes)
        zeros, update, store_tile = tile.zeros, tile.update, tile.store
        load, splat = v.load, v.splat
        forward = transform(matrices(m, r).bt, lanes)
        backward = transform(matrices(m, r).at, lanes)
        vec, elements = 4 * lanes, size * size
        streams = rows < L2_ROWS  # tiles of few rows may be all that use the weights: several lines a step

        @inline
        def gather(source, h, w, y0, x0, patch):
            """A tile that reaches over the border, zeros outside."""
            zero = splat(0.0)
            for i in range(size):
                for j in range(size):
                    yy, xx = y0 + i, x0 + j
                    if yy < 0 or yy >= h or xx < 0 or xx >= w:
                        store(patch + (i * size + j) * vec, zero)
                    else:
                        store(patch + (i * size + j) * vec, load(source + (yy * w + xx) * vec))

        @jit
        def input_tiles(x, v, patch, first, count, tiles_w, cblocks, h, w, pt, pl, column, element):
            for t in range(count):
                y0, x0 = (first + t) // tiles_w * m - pt, (first + t) % tiles_w * m - pl
                inside = y0 >= 0 and x0 >= 0 and y0 + size <= h and x0 + size <= w
                for cb in range(cblocks):
                    source = x + cb * h * w * vec
                    to = v + cb * column + t * vec
                    if inside:
                        forward(source + (y0 * w + x0) * vec, w * vec, vec, to, size * element, element)
                    else:
                        gather(source, h, w, y0, x0, patch)
                        forward(patch, size * vec, vec, to, size * element, element)

        @jit
        def products(v, u, p, count, groups, ci, cblocks, column, v_element, p_row, p_element):
            panel = ci * nr * 4
            row_tiles = (count + rows - 1) // rows
            ahead = max(1, nr * 4 // row_tiles)
            for e in range(elements):
                for kg in range(groups):
                    b0 = u + (e * groups + kg) * panel
                    soon = b0 + panel
                    for t in range(0, count, rows):
                        acc = zeros()
                        b = b0
                        for cb in range(cblocks):
                            a = v + e * v_element + cb * column + t * vec
                            for c in range(min(lanes, ci - cb * lanes)):
                                acc = update(acc, a + c * 4, vec, b)
                                b += nr * 4
                                prefetch_l2(soon)
                                if streams:
                                    for far in range(64, nr * 4, 64):
                                        prefetch_l2(soon + far)
                                soon += ahead
                        store_tile(acc, p + e * p_element + t * p_row + kg * nr * 4, p_row, vec)

        @jit
        def output_tiles(
            p, patch, bias, res, y, act, act_args, lo, hi, first, count, tiles_w, kb0, kb1, oh, ow, p_row, p_element,
        ):  # fmt: skip
            low, high = splat(lo), splat(hi)
            for t in range(count):
                y0, x0 = (first + t) // tiles_w * m, (first + t) % tiles_w * m
                for kb in range(kb0, kb1):
                    backward(p + t * p_row + (kb - kb0) * vec, size * p_element, p_element, patch, m * vec, vec)
                    shift = load(bias + kb * vec)
                    width = min(m, ow - x0)
                    for i in range(min(m, oh - y0)):
                        place = ((kb * oh + y0 + i) * ow + x0) * vec
                        for j in range(width):
                            z = load(patch + (i * m + j) * vec) + shift
                            if res != 0:
                                z = z + load(res + place + j * vec)
                            store(y + place + j * vec, at_most(high, at_least(low, z)))
                        if act != 0:
                            call(act, act_args, y + place, width * lanes)

        def conv_winograd(
            x, u, bias, res, y, act, act_args, scratch, lo, hi, items, ksplits, n_blocks, block, tiles, tiles_w,
            kgroups, kblocks, ci, cblocks, h, w, oh, ow, pt, pl, scratch_bytes, images, thread, threads,
        ):  # fmt: skip
            padded = (block + rows - 1) // rows * rows
            groups_most = (kgroups + ksplits - 1) // ksplits
            column, p_row = padded * vec, groups_most * nr * 4
            # One vector more keeps the elements of a tile out of one another's cache sets.
            v_element, p_element = cblocks * column + vec, padded * p_row + vec
            patch = scratch + thread * scratch_bytes
            v = patch + elements * vec
            p = v + elements * v_element
            for item in range(items * thread // threads, items * (thread + 1) // threads):
                split, rest = item % ksplits, item // ksplits
                n, first = rest // n_blocks, rest % n_blocks * block
                count = min(block, tiles - first)
                g0, g1 = kgroups * split // ksplits, kgroups * (split + 1) // ksplits
                kb0, kb1 = g0 * cols, min(g1 * cols, kblocks)
                input_tiles(
                    x + n * cblocks * h * w * vec,
                    v,
                    patch,
                    first,
                    count,
                    tiles_w,
                    cblocks,
                    h,
                    w,
                    pt,
                    pl,
                    column,
                    v_element,
                )
                products(
                    v, u + g0 * elements * ci * nr * 4, p, count, g1 - g0, ci, cblocks, column, v_element, p_row,
                    p_element,
                )  # fmt: skip
                image = n * kblocks * oh * ow * vec
                output_tiles(
                    p, patch, bias, res + image if res != 0 else 0, y + image, act, act_args, lo, hi, first, count,
                    tiles_w, kb0, kb1, oh, ow, p_row, p_element,
                )  # fmt: skip

        return conv_winograd

    name = f"conv_winograd_f{m}x{r}_f32_nchw{lanes}c_{rows}x{cols}__{isa}"
    return Kernel(name, FIELDS, build, functools.partial(ranges, size, rows, cols, lanes), isa)


def ranges(size: int, rows: int, cols: int, lanes: int, a: SimpleNamespace) -> Iterable[Range]:
    vec, elements = 4 * lanes, size**2
    require_positive(a, "ksplits n_blocks block tiles tiles_w")
    require(a.items == a.images * a.n_blocks * a.ksplits, "items are not all blocks of all images")
    require((a.n_blocks - 1) * a.block < a.tiles, "a block has no tiles")
    require(a.ksplits <= a.kgroups, "a split has no channels")
    padded, groups = -(-a.block // rows) * rows, -(-a.kgroups // a.ksplits)
    v_bytes, p_bytes = (a.cblocks * padded + 1) * vec, (padded * groups * cols + 1) * vec
    require(elements * (vec + v_bytes + p_bytes) <= a.scratch_bytes, "the scratch is too small")
    y_bytes = a.images * a.kblocks * a.oh * a.ow * vec
    yield Range("x", 0, a.images * a.cblocks * a.h * a.w * vec)
    yield Range("u", 0, elements * a.kgroups * a.ci * cols * vec)
    yield Range("bias", 0, a.kgroups * cols * vec)
    yield Range("y", 0, y_bytes, writes=True)
    yield Range("scratch", 0, a.scratch_bytes, writes=True, per_thread=True)
    if a.res:
        yield Range("res", 0, y_bytes)
    if a.act_args:
        yield Range("act_args", 0, 16)


def kernels(isa: str) -> Iterable[Kernel]:
    return [kernel(isa, *scheme, *tile) for scheme in SCHEMES for tile in tuning.WINOGRAD_TILES[isa]]


@dataclass(frozen=True)
class Plan:
    """How F(m, r) covers one problem: `block` tiles at a time, in register tiles of rows x cols vectors."""

    p: ConvProblem
    isa: str
    m: int
    rows: int
    cols: int
    block: int
    threads: int

    @property
    def lanes(self) -> int:
        return ISAS[self.isa].lanes

    @property
    def size(self) -> int:
        """Of an input tile."""
        return self.m + self.p.kh - 1

    @property
    def tiles_w(self) -> int:
        return -(-self.p.ow // self.m)

    @property
    def tiles(self) -> int:
        return -(-self.p.oh // self.m) * self.tiles_w

    @property
    def n_blocks(self) -> int:
        return -(-self.tiles // self.block)

    @property
    def kgroups(self) -> int:
        return -(-blocks(self.p.co, self.lanes) // self.cols)

    @property
    def ksplits(self) -> int:
        """Items of a block, each with its own channels, which transform the same input: where threads share badly
        without."""
        return min(self.kgroups, self.threads) if self.busiest(1) > cost.UNEVEN else 1

    def busiest(self, ksplits: int) -> float:
        return cost.busiest(self.tiles, self.block, self.p.n, ksplits, self.threads)

    @property
    def elements(self) -> int:
        return self.size**2

    @property
    def v_bytes(self) -> int:
        padded = -(-self.block // self.rows) * self.rows
        return self.elements * (padded * blocks(self.p.ci, self.lanes) + 1) * self.lanes * 4

    @property
    def p_bytes(self) -> int:
        padded = -(-self.block // self.rows) * self.rows
        return self.elements * (padded * -(-self.kgroups // self.ksplits) * self.cols + 1) * self.lanes * 4

    @property
    def scratch_bytes(self) -> int:
        return self.elements * self.lanes * 4 + self.v_bytes + self.p_bytes

    @property
    def u_bytes(self) -> int:
        return self.elements * self.p.ci * self.kgroups * self.cols * self.lanes * 4

    def pack(self, w: np.ndarray) -> np.ndarray:
        """[co, ci, r, r] -> u [splits][element][kgroups of the split][ci][nr]; float64 until it is packed."""
        r, ci, nr = self.p.kh, self.p.ci, self.cols * self.lanes
        g = matrices(self.m, r).g
        edges = [self.kgroups * s // self.ksplits for s in range(self.ksplits + 1)]
        u, transform = readable((self.u_bytes // 4,)), np.kron(g, g)
        for first, stop in itertools.pairwise(edges):
            split = u[first * self.elements * ci * nr : stop * self.elements * ci * nr]
            panels = split.reshape(self.elements, stop - first, ci, nr)
            for kg, start in itertools.product(range(first, stop), range(0, ci, PACKED_AT_ONCE)):
                some = slice(start, min(ci, start + PACKED_AT_ONCE))
                taps = np.zeros((r * r, some.stop - start, nr))
                part = w[kg * nr : (kg + 1) * nr, some]
                taps[:, :, : len(part)] = part.reshape(*part.shape[:2], r * r).transpose(2, 1, 0)
                panels[:, kg - first, some] = (transform @ taps.reshape(r * r, -1)).reshape(-1, some.stop - start, nr)
        return u

    @property
    def macs(self) -> int:
        """Of the products alone, in whole register tiles."""
        full, rest = divmod(self.tiles, self.block)
        row_tiles = full * -(-self.block // self.rows) + -(-rest // self.rows)
        columns = self.kgroups * self.cols * self.lanes
        return self.p.n * row_tiles * self.rows * self.elements * self.p.ci * columns

    @functools.cached_property
    def time_s(self) -> float:
        p = self.p
        core = cost.core(self.isa)
        products = core.products_s(self.macs, (self.rows, self.cols))
        inputs, outputs = self.ksplits * blocks(p.ci, self.lanes), blocks(p.co, self.lanes)
        vectors = p.n * self.tiles * self.elements * (inputs + outputs)
        transforms = vectors * core.winograd_vector_s[self.size]
        passes = p.n * self.n_blocks
        spilled = max(0, self.v_bytes + self.p_bytes - cost.caches().l2_bytes) * 2
        overlapped = cost.overlap_s(products, cost.stream_s(self.u_bytes, passes))
        return self.busiest(self.ksplits) * (transforms + overlapped + passes * spilled / cost.caches().l3)


def emit(r: Request, plan: Plan, e: Emitter) -> None:
    emit_tiles(r, plan, e.input(0), "", lambda: convolution.weights(r)[0], e)


def emit_tiles(r: Request, plan: Plan, x: Ref, key: str, weights: Callable[[], np.ndarray], e: Emitter) -> None:
    """On an input of plan.p at x; weights: [co, ci, r, r] of plan.p, and `key` what tells them from the node's."""
    p, nr = plan.p, plan.cols * plan.lanes
    _, bias = convolution.weights(r)
    bias = np.zeros(p.co, np.float32) if bias is None else bias
    scratch = e.apart(plan.scratch_bytes)
    e.row(
        kernel(plan.isa, plan.m, p.kh, plan.rows, plan.cols),
        x=x,
        u=e.weights(f"winograd{key} f{plan.m}x{p.kh} {plan.cols} {plan.ksplits}", lambda: plan.pack(weights())),
        bias=e.weights(f"bias {plan.kgroups * nr}", lambda: conv.padded_bias(bias, plan.kgroups * nr)),
        res=e.input(3) if convolution.has_residual(r) else 0,
        y=e.output(),
        scratch=scratch,
        items=p.n * plan.n_blocks * plan.ksplits,
        ksplits=plan.ksplits,
        n_blocks=plan.n_blocks,
        block=plan.block,
        tiles=plan.tiles,
        tiles_w=plan.tiles_w,
        kgroups=plan.kgroups,
        kblocks=blocks(p.co, plan.lanes),
        ci=p.ci,
        cblocks=blocks(p.ci, plan.lanes),
        h=p.h,
        w=p.w,
        oh=p.oh,
        ow=p.ow,
        pt=p.pt,
        pl=p.pl,
        scratch_bytes=scratch.stride,
        images=p.n,
        **conv.epilogue(e, r.op.activation, plan.isa),
    )


def block_sizes(tiles: int, rows: int) -> Iterable[int]:
    """Even shares of all tiles, in whole register tiles."""
    row_tiles = -(-tiles // rows)
    counts = {-(-row_tiles // parts) for parts in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)}
    return sorted({min(tiles, count * rows) for count in counts})


@functools.lru_cache(256)
def plans(p: ConvProblem, isa: str, m: int, rows: int, cols: int, threads: int) -> Sequence[Plan]:
    """Those of a register tile with the least cost, the best first; kept, as networks repeat their layers."""
    block_tiles = block_sizes(-(-p.oh // m) * -(-p.ow // m), rows)
    known = [Plan(p, isa, m, rows, cols, block, threads) for block in block_tiles]
    fitting = [plan for plan in known if plan.block * p.ci < 1 << 20] or known[:1]
    return sorted(fitting, key=lambda plan: plan.time_s)[:BLOCKS_OFFERED]


@lowers("Conv")
def winograd(r: Request) -> Iterable[Choice]:
    """For 3x3, 4x4 and 5x5 kernels of stride 1."""
    p = convolution.problem(r)
    if p is None or not can_block(r.inputs[0]) or (p.sh, p.sw, p.dh, p.dw, p.g) != (1, 1, 1, 1, 1):
        return
    yield from choices(r, p, p, "blocked", functools.partial(emit, r))


def choices(
    r: Request, p: ConvProblem, covered: ConvProblem, source: Layout, run: Callable[[Plan, Emitter], None],
    suffix: str = "", before_s: float = 0.0,
) -> Iterable[Choice]:  # fmt: skip
    """For each register tile the blocks with the least cost. `covered` is p, or what takes its place after `before_s`
    of other work."""
    inputs = conv.input_layouts(r, source)
    sizes = [m for m, kernel_size in SCHEMES if kernel_size == covered.kh == covered.kw]
    for m, (rows, cols) in itertools.product(sizes, tuning.WINOGRAD_TILES[r.target.name]):
        for plan in plans(covered, r.target.name, m, rows, cols, r.threads):
            saved = p.macs / (plan.elements * p.n * plan.tiles * covered.ci * p.co)
            reason = f"{saved:.2f} times fewer multiply-adds, {rows}x{cols} tile, blocks of {plan.block} tiles"
            yield Choice(
                f"winograd_f{m}x{covered.kh}{suffix}", inputs, "blocked", before_s + plan.time_s, reason,
                functools.partial(run, plan), macs=plan.macs, variant=f"{rows}x{cols} of {plan.block} tiles",
            )  # fmt: skip
