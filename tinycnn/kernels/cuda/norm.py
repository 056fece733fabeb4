"""InstanceNormalization, GroupNormalization and LayerNormalization: rows made to have mean 0 and variance 1.

y = (x - mean) / sqrt(variance + epsilon) * scale + bias, mean and variance taken over a row in two passes, of which the
second corrects the first: a mean that is large beside the deviation costs no accuracy. A team of threads takes a row.
Source: Chan, Golub, LeVeque, The American Statistician 37 (1983), the corrected two-pass algorithm.
"""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, Blocks, CudaKernel, cuda_kernel, over
from tinycnn.kernels.cuda.team import LONG_ROW, ROW, Team
from tinycnn.kernels.cuda.tuning import transfer_s
from tinycnn.kernels.kernel import Range, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, lowers
from tinycnn.kernels.normalization import KINDS, parameters, rows

FIELDS = "x:addr scale:addr bias:addr y:addr rows period channels pixels epsilon:f32"
LONGEST_ROW = Team(1, 1024, True)
AT_ONCE = 4  # elements that a thread has under way
RUN = 64  # elements of a thread that are summed on their own: beside a total of thousands, small numbers would be lost


def ranges(v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "rows period channels pixels")
    nbytes = 4 * v.rows * v.channels * v.pixels
    require(nbytes < 4 * MOST_ELEMENTS, "too many elements")
    yield Range("x", 0, nbytes)
    yield Range("y", 0, nbytes, writes=True)
    yield Range("scale", 0, 4 * min(v.rows, v.period) * v.channels)
    yield Range("bias", 0, 4 * min(v.rows, v.period) * v.channels)


@functools.cache
def normalize(team: Team, target: str) -> CudaKernel:
    """x, y f32 [rows][channels][pixels], which may be the same; row r has scale and bias [r % period][channels]."""

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cuda.functions import divide, sqrt
        from tinycnn.kernels.cuda.simt import cuda, inline, load, modulo, over, shared_memory, store
        from tinycnn.kernels.cuda.tree import place, tree

        f32 = np.float32
        lines, members, nbytes = team.lines, team.members, team.scratch_bytes
        memory, where = shared_memory(3 * nbytes), place(team)

        @inline
        def add(a, b):
            return a + b

        total_of = tree(team, add)

        @inline
        def fetch(v, at, left, otherwise):
            """Elements of a thread; `left` from the first on, `members` apart, are in the row."""
            for k in range(AT_ONCE):
                v[k] = load(at + 4 * k * members) if k * members < left else otherwise

        def kernel(x, scale, bias, y, rows, period, channels, pixels, epsilon):
            t, base = np.int64(cuda.threadIdx.x), memory()
            row, member = where(t)
            row += np.int64(cuda.blockIdx.x) * lines
            length = channels * pixels
            place = 4 * (row * length + member)
            count = length - member if row < rows else 0
            each = divide(f32(1), f32(length))
            v = cuda.local.array(AT_ONCE, np.float32)

            mean, at, left = f32(0), x + place, count
            while left > 0:
                run, end = f32(0), max(0, left - RUN * members)
                while left > end:
                    fetch(v, at, left, f32(0))
                    run += (v[0] + v[1]) + (v[2] + v[3])
                    at += 4 * AT_ONCE * members
                    left -= AT_ONCE * members
                mean += run
            mean = total_of(base, t, mean) * each

            rest, squares, at, left = f32(0), f32(0), x + place, count
            while left > 0:
                run, square, end = f32(0), f32(0), max(0, left - RUN * members)
                while left > end:
                    fetch(v, at, left, mean)
                    for k in range(AT_ONCE):
                        deviation = v[k] - mean
                        run += deviation
                        square += deviation * deviation
                    at += 4 * AT_ONCE * members
                    left -= AT_ONCE * members
                rest += run
                squares += square
            rest = total_of(base + nbytes, t, rest) * each
            variance = total_of(base + 2 * nbytes, t, squares) * each - rest * rest
            mean += rest
            inverse = divide(f32(1), sqrt(variance + epsilon))

            factors = 4 * modulo(row, period) * channels
            i, at, to, left = member, x + place, y + place, count
            while left > 0:
                fetch(v, at, left, mean)
                for k in range(AT_ONCE):
                    if k * members < left:
                        channel = i + k * members
                        if pixels > 1:
                            channel = over(channel, pixels) if channels > 1 else 0
                        factor = load(scale + factors + 4 * channel) * inverse
                        result = (v[k] - mean) * factor + load(bias + factors + 4 * channel)
                        store(to + 4 * k * members, result)
                i += AT_ONCE * members
                at += 4 * AT_ONCE * members
                to += 4 * AT_ONCE * members
                left -= AT_ONCE * members

        return kernel

    def blocks(v: SimpleNamespace) -> Blocks:
        return over(v.rows, team.lines), 1, 1

    return cuda_kernel(f"norm_{team}_f32", FIELDS, build, ranges, target, team.threads, blocks)


def kernels(target: str) -> Iterable[CudaKernel]:
    return [normalize(team, target) for team in (ROW, LONG_ROW, LONGEST_ROW)]


def choose(length: int) -> Team:
    """The team for a row of that many elements."""
    if length <= 16 * ROW.members:
        return ROW
    return LONG_ROW if length <= 32 * LONG_ROW.members else LONGEST_ROW


@lowers(*KINDS, on="cuda")
def lower(r: Request) -> Iterable[Choice]:
    x = r.inputs[0]
    if x is None or x.dtype != np.float32 or not 0 < x.size < MOST_ELEMENTS:
        return
    sizes = rows(r, x.dims)
    found = parameters(r, x.dims, sizes["period"] * sizes["channels"])
    if found is None:
        return
    factors, shifts = found
    length = sizes["channels"] * sizes["pixels"]
    team = choose(length)

    def emit(e: Emitter) -> None:
        e.row(
            normalize(team, r.target.name), x=e.input(0), y=e.output(), epsilon=r.op.epsilon, **sizes,
            scale=e.weights(f"scale {factors.shape}", lambda: factors),
            bias=e.weights(f"bias {shifts.shape}", lambda: shifts),
        )  # fmt: skip

    layouts: list[Layout | None] = ["plain", *(None for _ in r.inputs[1:])]
    reason = f"{sizes['rows']} rows of {length}"
    yield Choice("norm", layouts, "plain", transfer_s(2 * x.nbytes), reason, emit, in_place=0)
