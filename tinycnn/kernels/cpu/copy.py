"""Strided copies on vectors of elements."""

import functools
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, Literal

from tinycnn.kernels.cpu import cost
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Emitter, Ref
from tinycnn.kernels.moves import RANK, Axis, Move

Way = Literal["rows", "tiles"]
AXES = " ".join(
    f"{name}{i}{kind}" for name, kind in (("n", ""), ("x", ":signed"), ("y", ":signed")) for i in range(RANK)
)
FIELDS = fields(f"x:addr y:addr {AXES} c4 c5")


@functools.cache
def copy(way: Way, isa: str) -> Kernel:
    """Copies 4-byte elements of n0 x ... x n5, in pieces of c4 x c5; x0 ... and y0 ... are strides in bytes.

    rows   runs along the last axis: whole vectors where both strides are 4, one value where the source's is 0
    tiles  x4 = y5 = 4: squares transposed in registers
    """
    lanes = ISAS[isa].lanes

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import inline, load_f32, store, store_f32, store_part, vectors
        from tinycnn.kernels.cpu.squares import squares

        vector, square = vectors(lanes), squares(lanes)
        load, load_splat = vector.load, vector.load_splat
        load_square, store_square, transpose = square.load, square.store, square.transpose
        load_rows, store_part_square = square.load_rows, square.store_part

        @inline
        def rows(p, q, n4, n5, x4, x5, y4, y5):
            whole = n5 - n5 % lanes
            for i in range(n4):
                s, t = p + i * x4, q + i * y4
                if y5 == 4 and x5 == 4:
                    for k in range(0, 4 * whole, 4 * lanes):
                        store(t + k, load(s + k))
                    if whole < n5:
                        store_part(t + 4 * whole, n5 - whole, load(s + 4 * whole))
                elif y5 == 4 and x5 == 0:
                    value = load_splat(s)
                    for k in range(0, 4 * whole, 4 * lanes):
                        store(t + k, value)
                    store_part(t + 4 * whole, n5 - whole, value)
                else:
                    for k in range(n5):
                        store_f32(t + k * y5, load_f32(s + k * x5))

        @inline
        def tiles(p, q, n4, n5, x4, x5, y4, y5):
            for i in range(0, n4, lanes):
                for j in range(0, n5, lanes):
                    s, t = p + 4 * i + j * x5, q + i * y4 + 4 * j
                    if n4 - i >= lanes and n5 - j >= lanes:
                        store_square(transpose(load_square(s, x5)), t, y4)
                    else:
                        store_part_square(transpose(load_rows(s, x5, n5 - j)), t, y4, n4 - i, n5 - j)

        move = rows if way == "rows" else tiles

        def kernel(
            x, y, n0, n1, n2, n3, n4, n5, x0, x1, x2, x3, x4, x5, y0, y1, y2, y3, y4, y5, c4, c5, thread, threads
        ):
            m4, m5 = (n4 + c4 - 1) // c4, (n5 + c5 - 1) // c5
            pieces = n0 * n1 * n2 * n3 * m4 * m5
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                rest, i5 = piece // m5, piece % m5 * c5
                rest, i4 = rest // m4, rest % m4 * c4
                rest, i3 = rest // n3, rest % n3
                rest, i2 = rest // n2, rest % n2
                i0, i1 = rest // n1, rest % n1
                p = x + i0 * x0 + i1 * x1 + i2 * x2 + i3 * x3 + i4 * x4 + i5 * x5
                q = y + i0 * y0 + i1 * y1 + i2 * y2 + i3 * y3 + i4 * y4 + i5 * y5
                move(p, q, min(c4, n4 - i4), min(c5, n5 - i5), x4, x5, y4, y5)

        return kernel

    return Kernel(f"copy_{way}_f32__{isa}", FIELDS, build, functools.partial(ranges, way, lanes), isa)


def ranges(way: Way, lanes: int, v: SimpleNamespace) -> Iterable[Range]:
    require_positive(v, "n0 n1 n2 n3 n4 n5 c4 c5")
    require(way == "rows" or v.x4 == v.y5 == 4, "squares need neighbours")
    for name in ("x", "y"):
        ends = [(getattr(v, f"n{i}") - 1) * getattr(v, f"{name}{i}") for i in range(RANK)]
        # Whole vectors are read of what is stored in part.
        stop = sum(max(0, e) for e in ends) + 4 * (lanes if name == "x" else 1)
        yield Range(name, sum(min(0, e) for e in ends), stop, writes=name == "y")


def kernels(isa: str) -> Iterable[Kernel]:
    yield copy("rows", isa)
    yield copy("tiles", isa)


def plan(move: Move) -> tuple[Way, list[Axis]]:
    axes = list(move.axes)
    n, sx, sy = axes[-1] if axes else (1, 4, 4)
    columns = [a for a in axes[:-1] if a[1] == 4]
    if sx != 4 and sy == 4 and n > 1 and columns:
        axes.remove(columns[-1])
        axes.insert(-1, columns[-1])
        return "tiles", axes
    return "rows", axes


def emit(e: Emitter, move: Move, x: Ref, y: Ref, isa: str) -> None:
    way, axes = plan(move)
    if not move.size:
        return
    if not axes or (way == "rows" and axes[-1][2] != 4):
        axes.append((1, 4, 4))
    axes = [(1, 0, 0)] * (RANK - len(axes)) + axes
    e.row(copy(way, isa), x=x + move.x, y=y + move.y, **slots(way, axes[-RANK:]))


def time_s(move: Move) -> float:
    """Predicted seconds on one thread."""
    way, axes = plan(move)
    scalar = way == "rows" and axes and axes[-1][1] not in (0, 4)
    return cost.transfer_s(8 * move.size) * (4 if scalar else 1)


def slots(way: Way, axes: Sequence[Axis]) -> dict[str, int]:
    """Values of all fields but the addresses. A piece is some 4096 elements, so that threads can share the work."""
    (n4, _, _), (n5, _, _) = axes[-2:]
    c5 = 64 if way == "tiles" else min(n5, 4096)
    c4 = 64 if way == "tiles" else min(n4, max(1, 4096 // c5))
    values = {f"{name}{i}": axis[k] for k, name in enumerate(("n", "x", "y")) for i, axis in enumerate(axes)}
    return values | {"c4": c4, "c5": c5}
