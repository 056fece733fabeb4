"""Between the plain and the blocked layout: squares of lanes channels x lanes pixels, transposed in registers."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

from tinycnn.kernels.cpu import cost
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields
from tinycnn.kernels.lowering import Layout, blocked_size, blocks

FIELDS = fields("x:addr y:addr n c spatial")


def ranges(to: Layout, lanes: int) -> Callable[[SimpleNamespace], Iterable[Range]]:
    def touched(v: SimpleNamespace) -> Iterable[Range]:
        shape = (v.n, v.c, v.spatial)
        plain, blocked = 4 * math.prod(shape), 4 * blocked_size(shape, lanes)
        beyond = -v.spatial % lanes  # pixels that the last square reaches over
        yield Range("x", 0, plain + 4 * beyond if to == "blocked" else blocked + 4 * lanes * beyond)
        yield Range("y", 0, blocked if to == "blocked" else plain, writes=True)

    return touched


@functools.cache
def reorder(to: Layout, isa: str) -> Kernel:
    """f32 [n, c, spatial] into the layout `to`; pad lanes become zeros."""
    lanes = ISAS[isa].lanes

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import inline, store, store_part, vectors
        from tinycnn.kernels.cpu.squares import squares

        square, vector = squares(lanes), vectors(lanes)
        load, load_rows, store_square = square.load, square.load_rows, square.store
        store_square_part, transpose = square.store_part, square.transpose
        load_vector, load_part = vector.load, vector.load_part
        size = 4 * lanes

        @inline
        def to_blocked(plain, blocked, channels, pixels, stride):
            if stride == 4:
                store(blocked, load_part(plain, channels))
            elif channels == lanes and pixels == lanes:
                store_square(transpose(load(plain, stride)), blocked, size)
            else:
                store_square_part(transpose(load_rows(plain, stride, channels)), blocked, size, pixels, lanes)

        @inline
        def to_plain(plain, blocked, channels, pixels, stride):
            if stride == 4:
                store_part(plain, channels, load_vector(blocked))
            elif channels == lanes and pixels == lanes:
                store_square(transpose(load(blocked, size)), plain, stride)
            else:
                store_square_part(transpose(load(blocked, size)), plain, stride, channels, pixels)

        move, blocking = (to_blocked, True) if to == "blocked" else (to_plain, False)

        def kernel(x, y, n, c, spatial, thread, threads):
            plain, blocked = (x, y) if blocking else (y, x)
            per_image, per_block = (c + lanes - 1) // lanes, (spatial + lanes - 1) // lanes
            pieces = n * per_image * per_block
            piece, last = pieces * thread // threads, pieces * (thread + 1) // threads
            while piece < last:
                block = piece // per_block
                i, b = block // per_image, block % per_image
                channels = min(lanes, c - b * lanes)
                p = plain + 4 * (i * c + b * lanes) * spatial
                q = blocked + size * block * spatial
                first = piece - block * per_block
                stop = min(per_block, first + last - piece)
                for s in range(first * lanes, stop * lanes, lanes):
                    move(p + 4 * s, q + size * s, channels, min(lanes, spatial - s), 4 * spatial)
                piece += stop - first

        return kernel

    name = f"reorder_f32_{f'nchw{lanes}c' if to == 'blocked' else 'nchw'}__{isa}"
    return Kernel(name, FIELDS, build, ranges(to, lanes), isa)


def kernels(isa: str) -> Iterable[Kernel]:
    yield reorder("blocked", isa)
    yield reorder("plain", isa)


def reorder_row(to: Layout, shape: Sequence[int], isa: str) -> tuple[Kernel, dict[str, int]]:
    """The kernel that brings f32 [n, c, *spatial] into the layout `to`, and its values but the addresses x and y."""
    n, c, *spatial = shape
    return reorder(to, isa), {"n": n, "c": c, "spatial": math.prod(spatial)}


def cost_s(shape: Sequence[int], isa: str) -> float:
    """Predicted seconds on one thread, either way."""
    lanes = ISAS[isa].lanes
    return cost.transfer_s(4 * (math.prod(shape) + blocks(shape[1], lanes) * lanes * math.prod(shape) // shape[1]))
