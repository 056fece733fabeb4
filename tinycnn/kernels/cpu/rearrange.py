"""Operators that only move elements, as strided copies of plain tensors, or of blocks of channels."""

from collections.abc import Iterable, Sequence

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.kernels.cpu import copy
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request, blocks, can_block, lowers
from tinycnn.kernels.moves import Move
from tinycnn.kernels.rearrangement import STEPS, VIEWS, Arrays, Step, can_move, choice, moved, outlines, plain


def keeps_channels(steps: Iterable[Step], xs: Arrays, ys: Arrays) -> bool:
    """Whether each step takes all channels as they come, so that it means the same for blocks of channels."""

    def whole(view: np.ndarray, of: np.ndarray) -> bool:
        return view.ndim == of.ndim and view.shape[1] == of.shape[1] and view.strides[1] == of.strides[1]

    def same(x: np.ndarray, y: np.ndarray) -> bool:
        return x.ndim == y.ndim and x.shape[1] == y.shape[1]

    return all(
        whole(s.place, ys[s.output])
        and (s.input is None or (whole(s.view, xs[s.input]) and same(xs[s.input], ys[s.output])))
        for s in steps
    )


@lowers(*STEPS)
def copies(r: Request) -> Iterable[Choice]:
    """Plain, for elements of 4 and 8 bytes; blocked where channels stay where they are."""
    if not can_move(r):
        return
    lanes = r.target.lanes

    def blocked(spec: TensorSpec) -> Sequence[int]:
        n, c, *spatial = spec.dims
        return (n, blocks(c, lanes), *spatial, lanes)

    def row(e: Emitter, move: Move, x: Ref, y: Ref) -> None:
        copy.emit(e, move, x, y, r.target.name)

    layouts: list[Layout] = ["plain"]
    xs, ys = outlines(r, plain)
    if all(map(can_block, [*moved(r), *r.outputs])) and keeps_channels(STEPS[r.node.kind](r, xs, ys), xs, ys):
        layouts.append("blocked")
    for layout in layouts:
        arrays = outlines(r, plain if layout == "plain" else blocked)
        found = choice(r, layout, *arrays, row, copy.time_s)
        if found:
            yield found


@lowers(*VIEWS)
def views(r: Request) -> Iterable[Choice]:
    """Plain tensors of any dtype; blocked ones of the same shape, or of whole blocks of single pixels."""
    x, y = r.inputs[0], r.outputs[0]
    if x is None:
        return
    rest: list[Layout | None] = [None] * (len(r.inputs) - 1)

    def choice(source: Layout, target: Layout) -> Choice:
        return Choice("view", [source, *rest], target, 0.0, "the same bytes", lambda e: None, view=0)

    yield choice("plain", "plain")
    if can_block(x) and x == y:
        yield choice("blocked", "blocked")
    elif pixels_of_whole_blocks(r, x.dims) and can_block(x):
        yield choice("blocked", "plain")
    elif pixels_of_whole_blocks(r, y.dims) and can_block(y):
        yield choice("plain", "blocked")


def pixels_of_whole_blocks(r: Request, dims: Sequence[int]) -> bool:
    return len(dims) > 2 and dims[1] % r.target.lanes == 0 and all(n == 1 for n in dims[2:])
