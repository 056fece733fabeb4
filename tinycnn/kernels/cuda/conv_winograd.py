"""Winograd convolution F(m x m, 3 x 3) in three rows: transform tiles, multiply element by element, transform back.

    v[e, ci, tile] = B^T d B          tiles of m + 2, m apart
    p[e, co, tile] = u[e] v[e]        one product for each of (m + 2)^2 elements e; u = G g G^T, packed once
    y = A^T p A                       then bias, residual and activation

The tiles of all images are taken in runs whose v and p stay in the device's cache.

Source: Lavin and Gray 2015, arXiv:1509.09308, section 4.
"""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels import convolution
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cuda import conv_im2col, epilogue, tuning
from tinycnn.kernels.cuda.conv import layouts
from tinycnn.kernels.cuda.conv_im2col import Plan, Product
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Request, lowers
from tinycnn.kernels.winograd_matrices import matrices

THREADS = 128
SIZES = (2, 4)
INPUT = "x:addr v:addr images ci h wd tiles_h tiles_w pt:signed pl:signed first count"
OUTPUT = "p:addr b:addr r:addr y:addr images co oh ow tiles_h tiles_w first count " + epilogue.FIELDS


def check(v: SimpleNamespace, size: int, channels: int, h: int, w: int) -> None:
    require_positive(v, "images tiles_h tiles_w count")
    require(v.images * channels * h * w < MOST_ELEMENTS and size * size * channels * v.count < MOST_ELEMENTS, "size")
    require(v.first + v.count <= v.images * v.tiles_h * v.tiles_w < MOST_ELEMENTS, f"tiles {v.first} + {v.count}")


@functools.cache
def forward(m: int, target: str) -> CudaKernel:
    """v f32 [(m + 2)^2, ci, count] of tiles first ... of x f32 [images, ci, h, wd], a thread for a channel of one."""
    size = m + 2
    squared = size * size

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.simt import cuda, load, matrix, modulo, over, store

        transform, f32 = matrix(matrices(m).bt), np.float32

        def kernel(x, v, images, ci, h, wd, tiles_h, tiles_w, pt, pl, first, count):
            at = np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x
            if at < ci * count:
                c, tile = over(at, count), first + modulo(at, count)
                image, rest = over(tile, tiles_h * tiles_w), modulo(tile, tiles_h * tiles_w)
                row, col = over(rest, tiles_w) * m - pt, modulo(rest, tiles_w) * m - pl
                source = x + 4 * ((image * ci + c) * h * wd + row * wd + col)
                d = cuda.local.array(squared, np.float32)
                for i in range(size):
                    for j in range(size):
                        inside = 0 <= row + i < h and 0 <= col + j < wd
                        d[i * size + j] = load(source + 4 * (i * wd + j)) if inside else f32(0)
                half = cuda.local.array(squared, np.float32)
                for j in range(size):
                    transform(d, j, size, half, j, size)
                for i in range(size):
                    transform(half, i * size, 1, d, i * size, 1)
                for e in range(squared):
                    store(v + 4 * (e * ci * count + at), d[e])

        return kernel

    def ranges(a: SimpleNamespace) -> Iterable[Range]:
        check(a, size, a.ci, a.h, a.wd)
        yield Range("x", 0, 4 * a.images * a.ci * a.h * a.wd)
        yield Range("v", 0, 4 * squared * a.ci * a.count, writes=True)

    def blocks(a: SimpleNamespace) -> Blocks:
        return over(a.ci * a.count, THREADS), 1, 1

    return cuda_kernel(f"conv_winograd_f{m}x3_forward_f32", INPUT, build, ranges, target, THREADS, blocks)


@functools.cache
def backward(m: int, function: str, target: str) -> CudaKernel:
    """y f32 [images, co, oh, ow] = f(A^T p A + b + r) for tiles first ..., p f32 [(m + 2)^2, co, count]."""
    size = m + 2
    squared, half_size = size * size, m * size

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import formulas
        from tinycnn.kernels.cuda.simt import cuda, load, matrix, modulo, over, store

        transform = matrix(matrices(m).at)
        f, f32 = formulas()[function], np.float32

        def kernel(p, b, r, y, images, co, oh, ow, tiles_h, tiles_w, first, count, alpha, beta):
            at = np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x
            if at < co * count:
                c, tile = over(at, count), first + modulo(at, count)
                image, rest = over(tile, tiles_h * tiles_w), modulo(tile, tiles_h * tiles_w)
                row, col = over(rest, tiles_w) * m, modulo(rest, tiles_w) * m
                place = 4 * ((image * co + c) * oh * ow + row * ow + col)
                d = cuda.local.array(squared, np.float32)
                for e in range(squared):
                    d[e] = load(p + 4 * (e * co * count + at))
                half = cuda.local.array(half_size, np.float32)
                for j in range(size):
                    transform(d, j, size, half, j, size)
                for i in range(m):
                    transform(half, i * size, 1, d, i * m, 1)
                bias = load(b + 4 * c) if b != 0 else f32(0)
                for i in range(m):
                    for j in range(m):
                        if row + i < oh and col + j < ow:
                            here = place + 4 * (i * ow + j)
                            total = d[i * m + j] + bias
                            if r != 0:
                                total += load(r + here)
                            store(y + here, f(total, alpha, beta))

        return kernel

    def ranges(a: SimpleNamespace) -> Iterable[Range]:
        check(a, size, a.co, a.oh, a.ow)
        yield Range("p", 0, 4 * squared * a.co * a.count)
        if a.b:
            yield Range("b", 0, 4 * a.co)
        for name in "ry":
            if name == "y" or a.r:
                yield Range(name, 0, 4 * a.images * a.co * a.oh * a.ow, writes=name == "y")

    def blocks(a: SimpleNamespace) -> Blocks:
        return over(a.co * a.count, THREADS), 1, 1

    name = f"conv_winograd_f{m}x3_backward{epilogue.suffix(function)}_f32"
    return cuda_kernel(name, OUTPUT, build, ranges, target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    for m in SIZES:
        yield from (forward(m, target), backward(m, "clamp", target))


@dataclass(frozen=True)
class Runs:
    """How F(m, 3) covers a problem: all tiles in runs of `count`, each multiplied by `product`; the last is shorter."""

    p: ConvProblem
    m: int
    tiles_h: int
    tiles_w: int
    count: int
    product: Plan

    @property
    def tiles(self) -> int:
        return self.p.n * self.tiles_h * self.tiles_w

    @property
    def time_s(self) -> float:
        p, elements = self.p, (self.m + 2) ** 2
        moved = 4 * self.tiles * (p.ci + p.co) * (elements + self.m * self.m)
        runs = over(self.tiles, self.count)
        return runs * (2 * tuning.ROW_S + self.product.time_s) + moved / tuning.CACHE_BANDWIDTH


def plan(p: ConvProblem, m: int, device: Any) -> Runs:
    """The number of tiles of a run with the least time, of those whose v and p fit the cache: products like to fill the
    device with whole waves of blocks."""
    elements, tiles_h, tiles_w = (m + 2) ** 2, over(p.oh, m), over(p.ow, m)
    tiles = p.n * tiles_h * tiles_w
    most = max(1, tuning.L2_BYTES // (4 * elements * (p.ci + p.co)))
    fewest = over(tiles, most)

    def runs(number: int) -> Runs:
        count = over(tiles, number)
        product = Product(1, elements, p.ci, 1, count, p.co, 1, count)
        return Runs(p, m, tiles_h, tiles_w, count, conv_im2col.best(product, device))

    return min((runs(min(n, tiles)) for n in range(fewest, fewest + fewest // 2 + 2)), key=lambda r: r.time_s)


def emit(r: Request, runs: Runs, e: Emitter) -> None:
    p, m, target = runs.p, runs.m, r.target.name
    w, bias = convolution.weights(r)
    tile, elements = runs.product.tile, (m + 2) ** 2

    def transformed() -> np.ndarray:
        g = matrices(m).g
        u = np.einsum("ai,bj,ocij->aboc", g, g, w.astype(np.float64), optimize=True)
        return conv_im2col.pack(u.reshape(elements, p.co, p.ci, 1, 1).astype(np.float32), tile)

    u = e.weights(f"winograd f{m}x3 {tile}", transformed)
    b = 0 if bias is None else e.weights("bias", lambda: bias)
    v, products = (e.scratch(4 * elements * channels * runs.count) for channels in (p.ci, p.co))
    shared = {"images": p.n, "tiles_h": runs.tiles_h, "tiles_w": runs.tiles_w}
    for first in range(0, runs.tiles, runs.count):
        count = min(runs.count, runs.tiles - first)
        part = Plan(Product(1, elements, p.ci, 1, count, p.co, 1, count), tile, runs.product.splits, 0.0)
        e.row(
            forward(m, target), x=e.input(0), v=v, ci=p.ci, h=p.h, wd=p.w, pt=p.pt, pl=p.pl, first=first, count=count,
            **shared,
        )  # fmt: skip
        part.emit(e, v, u, products, target)
        e.row(
            backward(m, epilogue.function(r.op.activation), target), p=products, b=b,
            r=e.input(3) if convolution.has_residual(r) else 0, y=e.output(), co=p.co, oh=p.oh, ow=p.ow, first=first,
            count=count, **shared, **epilogue.values(r.op.activation),
        )  # fmt: skip


@lowers("Conv", on="cuda")
def winograd(r: Request) -> Iterable[Choice]:
    """For 3x3 kernels of stride 1 in exact f32: the transforms would amplify the errors of shorter numbers."""
    p = convolution.problem(r)
    if p is None or r.target.precision != "f32" or (p.kh, p.kw, p.sh, p.sw, p.dh, p.dw, p.g) != (3, 3, 1, 1, 1, 1, 1):
        return
    if p.n * max(p.ci * p.h * p.w, p.co * p.oh * p.ow) >= MOST_ELEMENTS:
        return
    for m in SIZES:
        runs = plan(p, m, r.target)
        saved = p.macs / ((m + 2) ** 2 * runs.tiles * p.ci * p.co)
        reason = f"{saved:.2f} times fewer multiply-adds, runs of {runs.count} tiles, {runs.product.tile} products"
        yield Choice(
            f"winograd_f{m}x3", layouts(r), "plain", runs.time_s, reason, functools.partial(emit, r, runs)
        )  # fmt: skip
