"""Elementwise functions of two tensors with broadcasting, and of more than two as successive rows.

The kernel sees up to six dimensions: five outer ones with a stride per operand, and an inner run along which an
operand is read on, or repeats one number, or repeats one vector (a channel block over its pixels).
Both layouts come down to this: the blocked one has the dimensions [n, c / lanes, spatial..., lanes].
"""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.broadcast import FUNCTIONS, NAMES, Operand, Stage, plain_operand, stages, taken_over
from tinycnn.kernels.cpu import conv
from tinycnn.kernels.cpu.broadcast import NUMBER, STREAM, VECTOR, Runs, blocked_dims, blocked_strides, runs
from tinycnn.kernels.cpu.cost import transfer_s
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.cpu.tuning import CHUNK
from tinycnn.kernels.kernel import Kernel, Range, fields
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request, can_block, lowers, to_blocked

OUTER = 5
FIELDS = fields(
    "a:addr b:addr y:addr d0 d1 d2 d3 d4 inner last a0 a1 a2 a3 a4 a_run b0 b1 b2 b3 b4 b_run "
    "lo:f32 hi:f32 act:code act_args:addr"
)


def formulas(lanes: int) -> dict[str, Callable[..., Any]]:
    """name -> f(a, b) on vectors."""
    from tinycnn.kernels.cpu.simd import vectors, where_lt
    from tinycnn.kernels.cpu.vmath import functions

    v, splat = functions(lanes), vectors(lanes).splat
    return {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "max": v.maximum,
        "min": v.minimum,
        "pow": v.power,
        "prelu": lambda a, b: where_lt(a, splat(0.0), a * b, a),
    }


def ranges(lanes: int, v: SimpleNamespace) -> Iterable[Range]:
    """Elements behind an operand's address: the last of each outer dimension, and its run there."""
    dims = (v.d0, v.d1, v.d2, v.d3, v.d4)
    if 0 in (*dims, v.last):
        return
    rows = math.prod(dims[:4])
    yield Range("y", 0, 4 * rows * ((v.d4 - 1) * v.inner + v.last), writes=True)
    for name in "ab":
        *strides, step, run = (getattr(v, f"{name}{i}") for i in (*range(OUTER), "_run"))
        first = sum((d - 1) * s for d, s in zip(dims, strides, strict=False))
        span = {STREAM: 4, NUMBER: 0, VECTOR: 0}[run]
        whole = {STREAM: 0, NUMBER: 4, VECTOR: 4 * lanes}[run]
        ends = [(v.d4 - 1) * step + span * v.last + whole]
        if v.d4 > 1:
            ends.append((v.d4 - 2) * step + span * v.inner + whole)
        yield Range(name, 0, first + max(ends))
    if v.act_args:
        yield Range("act_args", 0, 16)


@functools.cache
def binary(name: str, isa: str) -> Kernel:
    """y = act(clamp(f(a, b), lo, hi)), f32.

    y is contiguous: d0 x ... x d3 times a row of d4 runs, each `inner` elements long but the last of `last`.
    a0 ... a4, b0 ... b4 are strides in bytes; a_run, b_run one of STREAM, NUMBER, VECTOR. With VECTOR, runs are
    multiples of the vector. y may be a or b where that operand streams through all of y.
    """
    lanes = ISAS[isa].lanes

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import at_least, at_most, call, inline, store, store_part, vectors

        v = vectors(lanes)
        load, load_part, load_splat, splat = v.load, v.load_part, v.load_splat, v.splat
        function = formulas(lanes)[name]
        f = function if name in ("max", "min", "pow") else inline(function)
        size = 4 * lanes

        @inline
        def repeated(address, run):
            if run == NUMBER:
                return load_splat(address)
            if run == VECTOR:
                return load(address)
            return splat(0.0)

        @inline
        def apply(a, b, y, n, a_run, b_run, lo, hi):
            av, bv = repeated(a, a_run), repeated(b, b_run)
            rest = n % lanes
            whole = 4 * (n - rest)
            if a_run == STREAM:
                if b_run == STREAM:
                    for i in range(0, whole, size):
                        store(y + i, at_most(hi, at_least(lo, f(load(a + i), load(b + i)))))
                else:
                    for i in range(0, whole, size):
                        store(y + i, at_most(hi, at_least(lo, f(load(a + i), bv))))
            elif b_run == STREAM:
                for i in range(0, whole, size):
                    store(y + i, at_most(hi, at_least(lo, f(av, load(b + i)))))
            else:
                for i in range(0, whole, size):
                    store(y + i, at_most(hi, at_least(lo, f(av, bv))))
            if rest > 0:
                if a_run == STREAM:
                    av = load_part(a + whole, rest)
                if b_run == STREAM:
                    bv = load_part(b + whole, rest)
                store_part(y + whole, rest, at_most(hi, at_least(lo, f(av, bv))))

        def body(
            a, b, y, d0, d1, d2, d3, d4, inner, last, a0, a1, a2, a3, a4, a_run, b0, b1, b2, b3, b4, b_run,
            lo, hi, act, act_args, thread, threads,
        ):  # fmt: skip
            low, high = splat(lo), splat(hi)
            rows = d0 * d1 * d2 * d3 * d4
            row_bytes = 4 * ((d4 - 1) * inner + last)
            row, stop = rows * thread // threads, rows * (thread + 1) // threads
            while row < stop:
                outer, first = row // d4, row % d4
                i3, i2 = outer % d3, outer // d3 % d2
                i1, i0 = outer // (d3 * d2) % d1, outer // (d3 * d2 * d1)
                pa = a + i0 * a0 + i1 * a1 + i2 * a2 + i3 * a3 + first * a4
                pb = b + i0 * b0 + i1 * b1 + i2 * b2 + i3 * b3 + first * b4
                py = y + outer * row_bytes + first * 4 * inner
                end = min(d4, first + stop - row)
                for i in range(first, end):
                    n = last if i == d4 - 1 else inner
                    apply(pa, pb, py, n, a_run, b_run, low, high)
                    if act != 0:
                        call(act, act_args, py, n)
                    pa, pb, py = pa + a4, pb + b4, py + 4 * inner
                row += end - first

        return body

    return Kernel(f"{name}_f32__{isa}", FIELDS, build, functools.partial(ranges, lanes), isa)


def kernels(isa: str) -> Iterable[Kernel]:
    return [binary(name, isa) for name in NAMES]


def operand(r: Request, i: int, layout: Layout) -> Operand | None:
    """Input i beside an output in `layout`; None where the kernel cannot read it so."""
    found = plain_operand(r, i)
    if found is None or layout == "plain":
        return found
    spec, value, out, lanes = r.inputs[i], found.value, r.outputs[0].dims, r.target.lanes
    assert spec is not None
    shape = spec.dims if value is None else (1,) * (len(out) - spec.rank) + spec.dims
    lay = blocked_strides(shape, out, lanes)
    if lay is None:
        return None
    if value is not None:
        value = value.reshape(shape)
        value = to_blocked(value, lanes) if lay[0] == "blocked" else value
    return Operand(i, *lay, value)


def row(e: Emitter, name: str, a: Ref, b: Ref, y: Ref, lay: Runs, epilogue: dict[str, Any], isa: str) -> None:
    """y = f(a, b) over `lay`, whose inner run is cut to chunks where a dimension is left for it."""
    *dims, inner = lay.dims
    strides = [[4 * s for s in each[:-1]] for each in lay.strides]
    last = inner
    if inner > CHUNK and len(dims) < OUTER:
        dims.append(-(-inner // CHUNK))
        for each, run in zip(strides, lay.runs, strict=True):
            each.append(4 * CHUNK if run == STREAM else 0)
        inner, last = CHUNK, inner - (dims[-1] - 1) * CHUNK
    missing = OUTER - len(dims)
    values = {f"d{i}": d for i, d in enumerate([1] * missing + dims)}
    for operand_name, each, run in zip("ab", strides, lay.runs, strict=True):
        values |= {f"{operand_name}{i}": s for i, s in enumerate([0] * missing + each)} | {f"{operand_name}_run": run}
    e.row(binary(name, isa), a=a, b=b, y=y, inner=inner, last=last, **values, **epilogue)


@lowers(*FUNCTIONS)
def lower(r: Request) -> Iterable[Choice]:
    out = r.outputs[0]
    if out.dtype != np.float32:
        return
    layouts: tuple[Layout, ...] = ("blocked", "plain") if can_block(out) else ("plain",)
    for layout in layouts:
        operands = [operand(r, i, layout) for i in range(len(r.inputs))]
        found = [o for o in operands if o is not None]
        if len(found) < len(operands) or not any(o.value is None and o.layout == layout for o in found):
            continue
        choice = choose(r, layout, found)
        if choice:
            yield choice


def choose(r: Request, layout: Layout, operands: Sequence[Operand]) -> Choice | None:
    out, isa = r.outputs[0].dims, r.target
    activation = None if r.node.kind == "PRelu" else r.op.activation
    inputs = [o.layout if o.value is None else None for o in operands]
    dims = blocked_dims(out, isa.lanes) if layout == "blocked" else tuple(out)
    rows: list[tuple[Stage, Runs]] = [(stage, runs(stage.lay, isa.lanes)) for stage in stages(r, dims, operands)]
    if any(len(lay.dims) > OUTER + 1 for _, lay in rows):
        return None

    def emit(e: Emitter) -> None:
        if 0 in dims:
            return
        y = e.output()
        none, fused = conv.epilogue(e, None, isa.name), conv.epilogue(e, activation, isa.name)
        a = operands[0].address(e)
        for stage, lay in rows:
            b = stage.b.address(e) if stage.b else e.table(np.array([len(operands)], np.float32))
            row(e, stage.name, a, b, y, lay, fused if stage is rows[-1][0] else none, isa.name)
            a = y

    nbytes = 4 * math.prod(dims) * (len(operands) + 1)
    if not rows:
        return None if activation else Choice("identity", inputs, layout, 0.0, "one operand", emit, view=0)
    time_s = max(1, len(operands) - 1) * transfer_s(nbytes)
    name, taken = rows[0][0].name, taken_over(r, layout, operands)
    return Choice(name, inputs, layout, time_s, f"{nbytes} bytes", emit, in_place=taken)
