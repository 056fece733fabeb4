"""Convolution as a matrix product whose second operand, im2col, exists in shared memory only, a slice at a time.

y[co, pixels] = W[co, taps x ci] im2col[taps x ci, pixels]. Pixels run over all images. A block computes a tile of it
for one group, taking the taps in turn and of each `k` channels at a time; with several splits, blocks share the rows
among them, and their sums are added up by `sum_splits`. One tap a pixel makes it a batched matrix product: dense layers
and the multiplications of Winograd's algorithm run here too.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda import epilogue, tuning
from tinycnn.kernels.cuda.device import TENSOR_CORES
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.cuda.precision import to_words
from tinycnn.kernels.cuda.sum_splits import sum_splits
from tinycnn.kernels.cuda.tuning import Tile
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Emitter, Ref
from tinycnn.ops.activation import Activation

MOST_TAPS = 31  # of a window, in each direction: which are inside the image is kept in bits
ROW = (
    "x:addr w:addr b:addr r:addr y:addr images groups ci h wd co oh ow kh kw sh sw dh dw pt:signed pl:signed splits "
    + epilogue.FIELDS
)


def ranges(tile: Tile, v: SimpleNamespace) -> Iterable[Range]:
    """With splits, y holds f32 [splits, images, groups, co, oh, ow]."""
    require_positive(v, "images groups ci h wd co oh ow kh kw splits")
    area, planes = v.oh * v.ow, v.images * v.groups
    steps = v.kh * v.kw * over(v.ci, tile.k)
    require(planes * v.co * area < MOST_ELEMENTS and planes * v.ci * v.h * v.wd < MOST_ELEMENTS, "too many elements")
    require(v.kh <= MOST_TAPS and v.kw <= MOST_TAPS, f"a window of {v.kh}x{v.kw}")
    require(v.splits <= steps and steps * v.splits < MOST_ELEMENTS, f"{v.splits} splits of {steps} steps")
    yield Range("x", 0, 4 * planes * v.ci * v.h * v.wd)
    yield Range("w", 0, v.groups * over(v.co, tile.m) * steps * tile.a_bytes)
    if v.b:
        yield Range("b", 0, 4 * v.groups * v.co)
    if v.r:
        yield Range("r", 0, 4 * planes * v.co * area)
    yield Range("y", 0, 4 * v.splits * planes * v.co * area, writes=True)


def blocks(tile: Tile, v: SimpleNamespace) -> Blocks:
    return over(v.images * v.oh * v.ow, tile.n), over(v.co, tile.m), v.groups * v.splits


@functools.cache
def conv(tile: Tile, function: str, target: str) -> CudaKernel:
    """y = f(conv(x, w) + b + r), b and r 0 for none; with splits > 1 the sums alone, without b, r and f.

    x f32 [images, groups, ci, h, wd]; w as `pack` makes it; b f32 [groups, co]; y, r f32 [images, groups, co, oh, ow].
    """

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import formulas
        from tinycnn.kernels.cuda.simt import (
            block_x,
            block_y,
            block_z,
            commit_copies,
            compiled,
            copy_to_shared,
            cuda,
            load,
            modulo,
            over,
            sequence,
            shared_memory,
            store,
            thread_x,
            unrolled,
            wait_for_copies,
        )
        from tinycnn.kernels.cuda.tile_mma import tensor
        from tinycnn.kernels.cuda.tile_simt import simt

        e = simt(tile) if tile.precision == "f32" else tensor(tile)
        m, n, k, a_bytes = tile.m, tile.n, tile.k, tile.a_bytes
        width, cols = e.width, e.cols
        a_chunks, b_count, b_pitch, buffer_bytes = e.a_chunks, e.b_count, e.b_pitch, e.buffer_bytes
        results, multiply, gather, row_of, col_of = e.results, e.multiply, e.gather, e.row_of, e.col_of
        memory, f, load_run, store_run = shared_memory(e.shared_bytes), formulas()[function], e.load_run, e.store_run
        threads, stages, end_bytes = tile.threads, tile.stages, tile.stages * e.buffer_bytes
        capability = int(target.removeprefix("sm_"))
        copy4, copy16 = copy_to_shared(4, capability), copy_to_shared(16, capability)
        commit, wait = commit_copies(capability), wait_for_copies(tile.stages - 2, capability)
        f32, i32, i64 = np.float32, np.int32, np.int64

        @compiled
        def fetch_a(buffer, address, t):
            for i in range(a_chunks):
                copy16(buffer + 16 * (t + i * threads), address + 16 * (t + i * threads), True)

        @compiled
        def fetch_b(buffer, p, step, left):
            """`left` of a column's rows, whose first is at p; zeros behind them."""
            if left >= b_count:
                for i in range(b_count):
                    copy4(buffer + b_pitch * i, p + step * i, True)
            else:
                for i in range(b_count):
                    copy4(buffer + b_pitch * i, p + step * i, i < left)

        @compiled
        def taps_inside(first, step, count, size):
            """Bit i: whether first + step * i is within 0 ... size - 1."""
            mask, at, i = i64(0), first, i64(0)
            while i < count:
                mask |= i64(0 <= at < size) << i
                at += step
                i += 1
            return mask

        @compiled
        def add_bias(i, state):
            t, acc, b, first_row, co = state
            bias = load(b + 4 * min(first_row + row_of(t, i), co - 1))
            for j in range(cols * width):
                acc[i * cols * width + j] += bias

        @compiled
        def locate(to, p, channels, pixels, area):
            """Elements before each pixel of a run in its first channel; -1 behind the last."""
            image, q = over(p, area), modulo(p, area)
            for e in range(width):
                to[e] = image * channels * area + q if p + e < pixels else -1
                q += 1
                if q == area:
                    image, q = image + 1, i64(0)

        @compiled
        def add_one(j, i, state):
            """The residual of a run; any address will do for results that are not stored."""
            t, acc, to, r, first_row, co, area = state
            row = i32(min(first_row + row_of(t, i), co - 1) * area)
            if modulo(area, width) == 0:
                v = load_run(r + 4 * i64(i32(row + max(to[0], 0))))
                for e in range(width):
                    acc[(i * cols + j) * width + e] += v[e]
            else:
                for e in range(width):
                    acc[(i * cols + j) * width + e] += load(r + 4 * i64(i32(row + max(to[e], 0))))

        @compiled
        def store_one(j, i, state):
            t, acc, to, y, first_row, co, area, whole, alpha, beta = state
            row = first_row + row_of(t, i)
            if row < co:
                at = i32(row * area)
                v = cuda.local.array(width, np.float32)
                for e in range(width):
                    value = acc[(i * cols + j) * width + e]
                    v[e] = f(value, alpha, beta) if whole else value
                if modulo(area, width) == 0:
                    if to[0] >= 0:
                        store_run(y + 4 * i64(i32(at + to[0])), v)
                else:
                    for e in range(width):
                        if to[e] >= 0:
                            store(y + 4 * i64(i32(at + to[e])), v[e])

        def column(j):
            add_all, store_all = unrolled(e.rows, add_one, j), unrolled(e.rows, store_one, j)

            @compiled
            def add(state):
                acc, r, co, channels, pixels, area = state
                t, first_row, first_col = thread_x(), block_y() * m, block_x() * n
                to = cuda.local.array(width, np.int32)
                locate(to, first_col + col_of(t, j), channels, pixels, area)
                add_all((t, acc, to, r, first_row, co, area))

            @compiled
            def keep(state):
                acc, y, co, channels, pixels, area, whole, alpha, beta = state
                t, first_row, first_col = thread_x(), block_y() * m, block_x() * n
                to = cuda.local.array(width, np.int32)
                locate(to, first_col + col_of(t, j), channels, pixels, area)
                store_all((t, acc, to, y, first_row, co, area, whole, alpha, beta))

            return add, keep

        adds, keeps = zip(*(column(j) for j in range(cols)), strict=True)
        add_residual, store_all, add_biases = sequence(adds), sequence(keeps), unrolled(e.rows, add_bias)

        @compiled
        def finish(acc, co, channels, pixels, area, whole, b, r, y, alpha, beta):
            """Everything that is read is read before anything is stored: loads may not pass stores."""
            if b != 0:
                add_biases((thread_x(), acc, b, block_y() * m, co))
            if r != 0:
                add_residual((acc, r, co, channels, pixels, area))
            store_all((acc, y, co, channels, pixels, area, whole, alpha, beta))

        def kernel(
            x, w, b, r, y, images, groups, ci, h, wd, co, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, splits, alpha, beta
        ):
            t = i64(cuda.threadIdx.x)
            base = memory()
            acc = cuda.local.array(results, np.float32)
            for i in range(results):
                acc[i] = f32(0)
            area, plane, pixels = oh * ow, 4 * h * wd, images * oh * ow
            group, split = over(i64(cuda.blockIdx.z), splits), modulo(i64(cuda.blockIdx.z), splits)
            chunks = over(ci + k - 1, k)
            steps = kh * kw * chunks
            first, last = over(steps * split, splits), over(steps * (split + 1), splits)
            weights = w + (group * over(co + m - 1, m) + i64(cuda.blockIdx.y)) * steps * a_bytes
            p = i64(cuda.blockIdx.x) * n + modulo(t, n)
            image, q = over(p, area), modulo(p, area)
            iy, ix = over(q, ow) * sh - pt, modulo(q, ow) * sw - pl
            rows_inside = taps_inside(iy, dh, kh, h) if p < pixels else i64(0)
            inside = rows_inside | taps_inside(ix, dw, kw, wd) << 32
            corner = x + (((image * groups + group) * ci + over(t, n) * b_count) * h + iy) * 4 * wd + 4 * ix
            weights += first * a_bytes
            tap, c = over(first, chunks), modulo(first, chunks) * k
            tr, ts = over(tap, kw), modulo(tap, kw)
            column = corner + 4 * (tr * dh * wd + ts * dw) + c * plane
            buffer = fill = base
            b_start = a_bytes + over(t, n) * b_count * b_pitch + 4 * modulo(t, n)
            ahead, step = first, first - (stages - 1)
            while step < last:
                if step >= first:
                    wait()
                    cuda.syncthreads()
                if ahead < last:
                    fetch_a(fill, weights, t)
                    left = ci - c - over(t, n) * b_count
                    wanted = left if inside >> tr & inside >> (32 + ts) & 1 else i64(0)
                    fetch_b(fill + b_start, column, plane, wanted)
                    weights += a_bytes
                    column += k * plane
                    c += k
                    if c >= ci:
                        c = i64(0)
                        ts += 1
                        if ts == kw:
                            ts = i64(0)
                            tr += 1
                        column = corner + 4 * (tr * dh * wd + ts * dw)
                commit()
                fill = fill + buffer_bytes if fill + buffer_bytes < base + end_bytes else base
                if step >= first:
                    multiply(buffer, t, acc)
                    buffer = buffer + buffer_bytes if buffer + buffer_bytes < base + end_bytes else base
                ahead += 1
                step += 1
            if gather(base, t, acc):
                group, split = over(block_z(), splits), modulo(block_z(), splits)
                part = y + 4 * (split * images * groups + group) * co * oh * ow
                residual = r + 4 * group * co * oh * ow if r != 0 else i64(0)
                biases = b + 4 * group * co if b != 0 else i64(0)
                finish(
                    acc, co, groups * co, images * oh * ow, oh * ow, splits == 1, biases, residual, part, alpha, beta
                )

        return kernel

    name = f"conv_im2col{epilogue.suffix(function)}_{tile.precision}_nchw_{tile}"
    # A function that is more than a clamp takes registers.
    resident = tile.resident if function == "clamp" else max(1, tile.resident - 1)
    parts = functools.partial(ranges, tile), target, tile.threads, functools.partial(blocks, tile), resident
    return cuda_kernel(name, ROW, build, *parts)


def kernels(target: str) -> Iterable[CudaKernel]:
    """Those of every tile that the device can run; of the functions that they may fuse, one beside the clamp."""
    for precision, tiles in tuning.TILES.items():
        if precision == "f32" or int(target.removeprefix("sm_")) >= TENSOR_CORES:
            yield from (conv(tile, "clamp", target) for tile in tiles)
    yield from (conv(tile, "swish", target) for tile in tuning.TILES["f32"])


def pack(w: np.ndarray, tile: Tile) -> np.ndarray:
    """Weights f32 [groups, co, ci, kh, kw] as blocks read them.

    f32: [groups, co / m, kh, kw, ci / k, k, m]; words of tensor cores: [groups, co / m, kh, kw, ci / k, k words / 8,
    m / 16, lane, 4], see `tile_mma`.
    """
    groups, co, ci, kh, kw = w.shape
    mt, kt = over(co, tile.m), over(ci, tile.k)
    padded = np.zeros((groups, mt * tile.m, kt * tile.k, kh, kw), np.float32)
    padded[:, :co, :ci] = w
    cut = padded.reshape(groups, mt, tile.m, kt, tile.k, kh, kw).transpose(0, 1, 5, 6, 3, 2, 4)
    if tile.precision == "f32":
        return np.ascontiguousarray(cut.swapaxes(-1, -2))
    words = to_words(cut, tile.precision)
    *outer, m, k = words.shape
    pieces = words.reshape(*outer, m // 16, 2, 8, k // 8, 2, 4)  # row half, row, step, word half, word
    lead = range(len(outer))
    at = len(outer)
    return np.ascontiguousarray(pieces.transpose(*lead, at + 3, at, at + 2, at + 5, at + 4, at + 1))


@dataclass(frozen=True)
class Product:
    """A convolution in numbers, as the kernel's row has them; see `conv`."""

    images: int
    groups: int
    ci: int
    h: int
    wd: int
    co: int
    oh: int
    ow: int
    kh: int = 1
    kw: int = 1
    sh: int = 1
    sw: int = 1
    dh: int = 1
    dw: int = 1
    pt: int = 0
    pl: int = 0


@dataclass(frozen=True)
class Plan:
    """A way to compute a product, and the seconds that it should take."""

    product: Product
    tile: Tile
    splits: int
    time_s: float

    def emit(
        self, e: Emitter, x: Ref, w: Ref, y: Ref, target: str, *,
        b: Ref | int = 0, r: Ref | int = 0, activation: Activation | None = None,
    ) -> None:  # fmt: skip
        """The rows: the product, and the sum of its splits."""
        p = self.product
        function, fused = epilogue.function(activation), epilogue.values(activation)
        size = p.images * p.groups * p.co * p.oh * p.ow
        row = vars(p) | {"x": x, "w": w, "splits": self.splits}
        if self.splits == 1:
            e.row(conv(self.tile, function, target), **row, b=b, r=r, y=y, **fused)
            return
        parts = e.scratch(4 * self.splits * size)
        nothing = epilogue.values(None)
        e.row(conv(self.tile, "clamp", target), **row, b=0, r=0, y=parts, **nothing)
        e.row(
            sum_splits(function, target), parts=parts, b=b, r=r, y=y, count=size, splits=self.splits,
            channels=p.groups * p.co, area=p.oh * p.ow, **fused,
        )  # fmt: skip


def plans(p: Product, device: Any) -> Iterator[Plan]:
    """Every tile with every number of splits that makes sense."""
    for tile in tuning.TILES[device.precision]:
        steps = p.kh * p.kw * over(p.ci, tile.k)
        for splits in tuning.SPLITS:
            if splits == 1 or steps // splits >= tuning.LEAST_STEPS:
                yield Plan(p, tile, splits, predicted_s(p, tile, splits, device))


def predicted_s(p: Product, tile: Tile, splits: int, device: Any) -> float:
    """Blocks run in waves that fill the device, `resident` to a multiprocessor; the last may leave some of it idle."""
    peak = tuning.PEAK_MACS[device.precision]
    full, alone = (peak * share for share in tuning.EFFICIENCY[device.precision][tile.m, tile.n])
    count = over(p.images * p.oh * p.ow, tile.n) * over(p.co, tile.m) * p.groups * splits
    work = tile.m * tile.n * tile.k * over(p.kh * p.kw * over(p.ci, tile.k), splits)
    waves, rest = divmod(count, device.multiprocessors * tile.resident)
    time_s = waves * (tuning.BLOCK_S + tile.resident * work / full)
    if rest:
        time_s += tuning.BLOCK_S + max(over(rest, device.multiprocessors) * work / full, work / alone)
    size = p.images * p.groups * p.co * p.oh * p.ow
    moved = 4 * (size * splits + p.images * p.groups * p.ci * p.h * p.wd + p.groups * p.co * p.ci * p.kh * p.kw)
    total = tuning.ROW_S + max(time_s, moved / tuning.MEMORY_BANDWIDTH)
    return total if splits == 1 else total + tuning.transfer_s(4 * size * (splits + 1))


def best(p: Product, device: Any) -> Plan:
    return min(plans(p, device), key=lambda plan: plan.time_s)
