"""FakeQuantize with one scale for the whole tensor: y = clamp(round(x / scale), lo, hi) * scale, of NaN 0."""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cpu.cost import transfer_s
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.cpu.tuning import CHUNK
from tinycnn.kernels.cpu.unary import elements
from tinycnn.kernels.kernel import Kernel, Range, fields
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, can_block, lowers

FIELDS = fields("x:addr y:addr count scale:f32 lo:f32 hi:f32")


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    yield Range("x", 0, 4 * v.count)
    yield Range("y", 0, 4 * v.count, writes=True)


@functools.cache
def fake_quantize(isa: str) -> Kernel:
    """y[count] from x[count], f32; x and y may be the same. lo and hi: bounds of the integers, less the zero point."""
    lanes = ISAS[isa].lanes

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import at_least, at_most, inline, store, store_part, vectors, where_eq
        from tinycnn.kernels.cpu.vmath import functions

        v = vectors(lanes)
        load, load_part, splat = v.load, v.load_part, v.splat
        rint = functions(lanes).rint

        @inline
        def quantize(x, scale, lo, hi):
            q = rint(x / scale)
            return at_most(hi, at_least(lo, where_eq(q, q, q, splat(0.0)))) * scale

        def body(x, y, count, scale, lo, hi, thread, threads):
            s, low, high = splat(scale), splat(lo), splat(hi)
            pieces = (count + CHUNK - 1) // CHUNK
            start = 4 * CHUNK * (pieces * thread // threads)
            stop = min(4 * count, 4 * CHUNK * (pieces * (thread + 1) // threads))
            rest = (stop - start) // 4 % lanes
            whole = stop - 4 * rest
            for i in range(start, whole, 4 * lanes):
                store(y + i, quantize(load(x + i), s, low, high))
            if rest > 0:
                store_part(y + whole, rest, quantize(load_part(x + whole, rest), s, low, high))

        return body

    return Kernel(f"fake_quantize_f32__{isa}", FIELDS, build, ranges, isa)


def kernels(isa: str) -> Iterable[Kernel]:
    yield fake_quantize(isa)


@lowers("FakeQuantize")
def lower(r: Request) -> Iterable[Choice]:
    x, scale, zero = r.inputs[0], r.values[1], (*r.values, None)[2]
    given = (*r.inputs, None)[2] is not None
    if x is None or x.dtype != np.float32 or scale is None or scale.dtype != np.float32 or scale.size != 1:
        return
    if r.op.block_size or (given and zero is None):
        return
    point = 0 if zero is None else int(zero.item())
    layouts: tuple[Layout, ...] = ("blocked", "plain") if can_block(x) else ("plain",)
    for layout in layouts:
        count = elements(x, layout, r.target.lanes)

        def emit(e: Emitter, count: int = count) -> None:
            e.row(
                fake_quantize(r.target.name), x=e.input(0), y=e.output(), count=count, scale=float(scale.item()),
                lo=r.op.qmin - point, hi=r.op.qmax - point,
            )  # fmt: skip

        inputs = [layout, *(None for _ in r.inputs[1:])]
        yield Choice("fake_quantize", inputs, layout, transfer_s(8 * count), f"{count} elements", emit, in_place=0)
