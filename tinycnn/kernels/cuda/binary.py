"""Elementwise functions of two tensors with broadcasting, and of more than two as successive rows."""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.broadcast import FUNCTIONS, NAMES, Broadcast, contiguous, plain_operand, stages, taken_over
from tinycnn.kernels.cuda import epilogue
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.cuda.tuning import transfer_s
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request, lowers
from tinycnn.ops.activation import Activation

THREADS, EACH = 256, 4  # threads of a block, neighbouring elements of a thread
RANK = 6
NUMBER, STREAM, STRIDED = range(3)  # an operand repeats one number, has the output's order, or lies as its strides say
ROW = (
    "a:addr b:addr y:addr count d1 d2 d3 d4 d5 a_run a0 a1 a2 a3 a4 a5 b_run b0 b1 b2 b3 b4 b5 " + epilogue.FIELDS
)  # fmt: skip


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "count d1 d2 d3 d4 d5")
    inner = (v.d1, v.d2, v.d3, v.d4, v.d5)
    require(v.count < MOST_ELEMENTS and v.count % math.prod(inner) == 0, f"{v.count} elements of {inner}")
    dims = (v.count // math.prod(inner), *inner)
    for name in "ab":
        run = getattr(v, f"{name}_run")
        require(run in (NUMBER, STREAM, STRIDED), f"{name}_run is {run}")
        last = sum((d - 1) * getattr(v, f"{name}{i}") for i, d in enumerate(dims))
        yield Range(name, 0, {NUMBER: 4, STREAM: 4 * v.count, STRIDED: 4 * (last + 1)}[run])
    yield Range("y", 0, 4 * v.count, writes=True)


def formulas() -> dict[str, Callable[..., Any]]:
    """name -> f(a, b) on numbers."""
    from tinycnn.kernels.cuda.functions import divide, larger, power, smaller

    return {
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "div": lambda a, b: divide(a, b),
        "max": lambda a, b: larger(a, b),
        "min": lambda a, b: smaller(a, b),
        "pow": lambda a, b: power(a, b),
        "prelu": lambda a, b: a * b if a < np.float32(0) else a,
    }


@functools.cache
def binary(name: str, function: str, target: str) -> CudaKernel:
    """y[count] = act(f(a, b)), f32, over [count / (d1 ... d5), d1, ..., d5]; a0 ... a5, b0 ... b5 are strides.

    y may be a or b where that operand streams.
    """

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda import functions
        from tinycnn.kernels.cuda.runs import digit, load_run, run, store_run
        from tinycnn.kernels.cuda.simt import cuda, inline, load

        f, act = inline(formulas()[name]), functions.formulas()[function]

        @inline
        def fetch(v, address, kind, at, left):
            if kind == STREAM:
                load_run(v, address + 4 * at, left)
            elif kind == NUMBER:
                value = load(address)
                for i in range(EACH):
                    v[i] = value

        def kernel(
            a, b, y, count, d1, d2, d3, d4, d5, a_run, a0, a1, a2, a3, a4, a5, b_run, b0, b1, b2, b3, b4, b5,
            alpha, beta,
        ):  # fmt: skip
            at = (np.int64(cuda.blockIdx.x) * THREADS + cuda.threadIdx.x) * EACH
            left = count - at
            if left > 0:
                av, bv = run(), run()
                fetch(av, a, a_run, at, left)
                fetch(bv, b, b_run, at, left)
                if a_run == STRIDED or b_run == STRIDED:
                    rest, i5 = digit(at, d5)
                    rest, i4 = digit(rest, d4)
                    rest, i3 = digit(rest, d3)
                    rest, i2 = digit(rest, d2)
                    i0, i1 = digit(rest, d1)
                    pa = i0 * a0 + i1 * a1 + i2 * a2 + i3 * a3 + i4 * a4 + i5 * a5
                    pb = i0 * b0 + i1 * b1 + i2 * b2 + i3 * b3 + i4 * b4 + i5 * b5
                    for i in range(EACH):
                        if i < left:
                            if a_run == STRIDED:
                                av[i] = load(a + 4 * pa)
                            if b_run == STRIDED:
                                bv[i] = load(b + 4 * pb)
                        i5, pa, pb = i5 + 1, pa + a5, pb + b5
                        if i5 == d5:
                            i5, i4, pa, pb = 0, i4 + 1, pa + a4 - d5 * a5, pb + b4 - d5 * b5
                            if i4 == d4:
                                i4, i3, pa, pb = 0, i3 + 1, pa + a3 - d4 * a4, pb + b3 - d4 * b4
                                if i3 == d3:
                                    i3, i2, pa, pb = 0, i2 + 1, pa + a2 - d3 * a3, pb + b2 - d3 * b3
                                    if i2 == d2:
                                        i2, i1, pa, pb = 0, i1 + 1, pa + a1 - d2 * a2, pb + b1 - d2 * b2
                                        if i1 == d1:
                                            i1, pa, pb = 0, pa + a0 - d1 * a1, pb + b0 - d1 * b1
                for i in range(EACH):
                    av[i] = act(f(av[i], bv[i]), alpha, beta)
                store_run(av, y + 4 * at, left)

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.count, THREADS * EACH), 1, 1

    return cuda_kernel(f"{name}{epilogue.suffix(function)}_f32", ROW, build, ranges, target, THREADS, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    return [binary(name, "clamp", target) for name in NAMES]


def row(
    e: Emitter, name: str, a: Ref, b: Ref, y: Ref, lay: Broadcast, activation: Activation | None, target: str
) -> None:
    """y = act(f(a, b)) over `lay`."""
    missing = RANK - len(lay.dims)
    values = {f"d{i}": d for i, d in enumerate([1] * missing + list(lay.dims)) if i > 0}
    for operand, strides in zip("ab", lay.strides, strict=True):
        run = NUMBER if not any(strides) else STREAM if strides == contiguous(lay.dims) else STRIDED
        steps = enumerate([0] * missing + list(strides))
        values |= {f"{operand}_run": run} | {f"{operand}{i}": step for i, step in steps}
    kernel = binary(name, epilogue.function(activation), target)
    e.row(kernel, a=a, b=b, y=y, count=math.prod(lay.dims), **values, **epilogue.values(activation))


@lowers(*FUNCTIONS, on="cuda")
def lower(r: Request) -> Iterable[Choice]:
    out = r.outputs[0]
    found = [plain_operand(r, i) for i in range(len(r.inputs))]
    operands = [o for o in found if o is not None]
    if out.dtype != np.float32 or out.size >= MOST_ELEMENTS or len(operands) < len(found):
        return
    activation = None if r.node.kind == "PRelu" else r.op.activation
    rows = stages(r, out.dims, operands)
    inputs: list[Layout | None] = ["plain" if o.value is None else None for o in operands]
    if not any(inputs) or any(len(stage.lay.dims) > RANK for stage in rows) or (activation and not rows):
        return

    def emit(e: Emitter) -> None:
        if not out.size:
            return
        a = operands[0].address(e)
        for stage in rows:
            b = stage.b.address(e) if stage.b else e.table(np.array([len(operands)], np.float32))
            row(e, stage.name, a, b, e.output(), stage.lay, activation if stage is rows[-1] else None, r.target.name)
            a = e.output()

    if not rows:
        yield Choice("identity", inputs, "plain", 0.0, "one operand", emit, view=0)
        return
    nbytes = 4 * sum(spec.size for spec in (out, *r.inputs) if spec)
    time_s = len(rows) * transfer_s(nbytes)
    taken = taken_over(r, "plain", operands)
    yield Choice(rows[0].name, inputs, "plain", time_s, f"{nbytes} bytes", emit, in_place=taken)
