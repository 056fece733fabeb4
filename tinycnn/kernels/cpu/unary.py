"""Elementwise functions of one tensor: copy a chunk, then apply the routine of the function to it in L1."""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.kernels.cpu.activation import routine
from tinycnn.kernels.cpu.cost import transfer_s
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.cpu.tuning import CHUNK
from tinycnn.kernels.kernel import Kernel, Range, fields
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request, blocked_size, can_block, lowers
from tinycnn.ops.activation import ELEMENTWISE, Activation

FIELDS = fields("x:addr y:addr count act:code act_args:addr")


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    yield Range("x", 0, 4 * v.count)
    yield Range("y", 0, 4 * v.count, writes=True)
    if v.act_args:
        yield Range("act_args", 0, 16)


@functools.cache
def unary(isa: str) -> Kernel:
    """y[count] = act(x[count]), f32; x and y may be the same. Without act it copies."""
    lanes = ISAS[isa].lanes

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import call, inline, store, store_part, vectors

        v = vectors(lanes)
        load, load_part = v.load, v.load_part

        @inline
        def copy(x, y, count):
            rest = count % lanes
            whole = 4 * (count - rest)
            for i in range(0, whole, 4 * lanes):
                store(y + i, load(x + i))
            if rest > 0:
                store_part(y + whole, rest, load_part(x + whole, rest))

        def body(x, y, count, act, act_args, thread, threads):
            pieces = (count + CHUNK - 1) // CHUNK
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                offset = piece * CHUNK
                n = min(CHUNK, count - offset)
                if x != y:
                    copy(x + 4 * offset, y + 4 * offset, n)
                if act != 0:
                    call(act, act_args, y + 4 * offset, n)

        return body

    return Kernel(f"unary_f32__{isa}", FIELDS, build, ranges, isa)


def kernels(isa: str) -> Iterable[Kernel]:
    yield unary(isa)


def apply(e: Emitter, activation: Activation | None, x: Ref, y: Ref, count: int, isa: str) -> None:
    """The row y[count] = activation(x[count]); a copy without one."""
    e.row(unary(isa), x=x, y=y, count=count, **routine(e, activation, isa))


def elements(spec: TensorSpec, layout: Layout, lanes: int) -> int:
    """Elements in memory, pad lanes included."""
    return blocked_size(spec.dims, lanes) if layout == "blocked" else spec.size


@lowers(*ELEMENTWISE)
def lower(r: Request) -> Iterable[Choice]:
    x, isa = r.inputs[0], r.target
    variable = [spec for spec, value in zip(r.inputs, r.values, strict=True) if spec and value is None]
    if x is None or x.dtype != np.float32 or len(variable) > 1:
        return
    activation = r.op.activation(*r.values[1:])
    if activation is None:
        return
    layouts: tuple[Layout, ...] = ("blocked", "plain") if can_block(x) else ("plain",)
    for layout in layouts:
        count = elements(x, layout, isa.lanes)

        def emit(e: Emitter, count: int = count) -> None:
            apply(e, activation, e.input(0), e.output(), count, isa.name)

        inputs = [layout, *(None for _ in r.inputs[1:])]
        yield Choice("unary", inputs, layout, transfer_s(8 * count), f"{count} elements", emit, in_place=0)
