"""ScaleShift: y = act(x * scale[c] + shift[c]), the batch normalization that no convolution could take up."""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cpu import conv
from tinycnn.kernels.cpu.cost import transfer_s
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.cpu.tuning import CHUNK
from tinycnn.kernels.kernel import Kernel, Range, fields
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, blocks, can_block, lowers

FIELDS = fields("x:addr scale:addr shift:addr y:addr n c run lo:f32 hi:f32 act:code act_args:addr")


def ranges(width: int, v: SimpleNamespace) -> Iterable[Range]:
    nbytes = 4 * v.n * v.c * v.run
    yield Range("x", 0, nbytes)
    yield Range("y", 0, nbytes, writes=True)
    yield Range("scale", 0, 4 * width * v.c)
    yield Range("shift", 0, 4 * width * v.c)
    if v.act_args:
        yield Range("act_args", 0, 16)


@functools.cache
def scale_shift(layout: Layout, isa: str) -> Kernel:
    """y[n][c][run] = act(clamp(x[n][c][run] * scale[c] + shift[c], lo, hi)), f32; x and y may be the same.

    In the blocked layout c counts blocks, a run holds lanes numbers a pixel, and scale and shift are [c][lanes].
    """
    lanes = ISAS[isa].lanes
    width = lanes if layout == "blocked" else 1

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import at_least, at_most, call, fma, store, store_part, vectors

        v = vectors(lanes)
        load, load_part, splat = v.load, v.load_part, v.splat
        load_channel = load if width == lanes else v.load_splat

        def body(x, scale, shift, y, n, c, run, lo, hi, act, act_args, thread, threads):
            low, high = splat(lo), splat(hi)
            chunks = (run + CHUNK - 1) // CHUNK
            pieces = n * c * chunks
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                channel, first = piece // chunks, piece % chunks * CHUNK
                count = min(CHUNK, run - first)
                place = 4 * (channel * run + first)
                to, source = y + place, x + place
                channel = channel % c * 4 * width
                a, b = load_channel(scale + channel), load_channel(shift + channel)
                rest = count % lanes
                whole = 4 * (count - rest)
                for i in range(0, whole, 4 * lanes):
                    store(to + i, at_most(high, at_least(low, fma(load(source + i), a, b))))
                if rest > 0:
                    tail = fma(load_part(source + whole, rest), a, b)
                    store_part(to + whole, rest, at_most(high, at_least(low, tail)))
                if act != 0:
                    call(act, act_args, to, count)

        return body

    layout_name = f"nchw{lanes}c" if layout == "blocked" else "nchw"
    name = f"scale_shift_f32_{layout_name}__{isa}"
    return Kernel(name, FIELDS, build, functools.partial(ranges, width), isa)


def kernels(isa: str) -> Iterable[Kernel]:
    yield scale_shift("blocked", isa)
    yield scale_shift("plain", isa)


@lowers("ScaleShift")
def lower(r: Request) -> Iterable[Choice]:
    x, scale, shift = r.inputs[0], r.values[1], r.values[2]
    if x is None or x.dtype != np.float32 or x.rank < 2 or scale is None or shift is None:
        return
    n, channels, *spatial = x.dims
    lanes = r.target.lanes
    layouts: tuple[Layout, ...] = ("blocked", "plain") if can_block(x) else ("plain",)
    for layout in layouts:
        width = lanes if layout == "blocked" else 1
        c, run = blocks(channels, width), math.prod(spatial) * width

        def emit(e: Emitter, layout: Layout = layout, c: int = c, run: int = run, width: int = width) -> None:
            def packed(values: np.ndarray) -> np.ndarray:
                return np.pad(values.astype(np.float32).reshape(-1), (0, c * width - channels))

            e.row(
                scale_shift(layout, r.target.name), x=e.input(0), y=e.output(), n=n, c=c, run=run,
                scale=e.weights(f"scale {layout}", lambda: packed(scale)),
                shift=e.weights(f"shift {layout}", lambda: packed(shift)),
                **conv.epilogue(e, r.op.activation, r.target.name),
            )  # fmt: skip

        inputs: tuple[Layout | None, ...] = (layout, None, None)
        time_s = transfer_s(8 * n * c * run)
        yield Choice("scale_shift", inputs, layout, time_s, f"{x.size} elements", emit, in_place=0)
