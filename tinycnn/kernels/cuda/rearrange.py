"""Operators that only move elements, as strided copies, or as none."""

from collections.abc import Iterable

from tinycnn.kernels.cuda import copy
from tinycnn.kernels.cuda.launch import MOST_ELEMENTS, CudaKernel
from tinycnn.kernels.lowering import Choice, Emitter, Ref, Request, lowers
from tinycnn.kernels.moves import Move
from tinycnn.kernels.rearrangement import STEPS, VIEWS, can_move, choice, moved, outlines, plain


def fits(r: Request) -> bool:
    """Whether elements can be moved one by one, and be counted."""
    return can_move(r) and all(s is None or s.nbytes // 4 < MOST_ELEMENTS for s in (*moved(r), *r.outputs))


@lowers(*STEPS, on="cuda")
def copies(r: Request) -> Iterable[Choice]:
    if not fits(r):
        return

    def row(e: Emitter, move: Move, x: Ref, y: Ref) -> None:
        copy.emit(e, move, x, y, r.target.name)

    found = choice(r, "plain", *outlines(r, plain), row, copy.time_s)
    if found:
        yield found


@lowers(*VIEWS, on="cuda")
def views(r: Request) -> Iterable[Choice]:
    """Tensors of any dtype."""
    rest = [None] * (len(r.inputs) - 1)
    if r.inputs[0] is not None:
        yield Choice("view", ["plain", *rest], "plain", 0.0, "the same bytes", lambda e: None, view=0)


def kernels(target: str) -> Iterable[CudaKernel]:
    """All are of other families."""
    return ()
