"""Operators that only move elements: each is a few pairs of NumPy views, which become strided copies."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Ref, Request
from tinycnn.kernels.moves import Move, outline

MOST_STEPS = 32
VIEWS = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze")


@dataclass(frozen=True)
class Step:
    """`place`, a view of output `output`, becomes `view`, one of input `input` (None: all of the value to pad with).

    Arrays have one axis more than their tensors, the last one: lanes of the blocked layout, or words of an element.
    """

    input: int | None
    output: int
    view: np.ndarray
    place: np.ndarray


Arrays = Sequence[np.ndarray]
Steps = Iterator[Step]


def transpose(r: Request, xs: Arrays, ys: Arrays) -> Steps:
    rank = xs[0].ndim - 1
    yield Step(0, 0, xs[0].transpose(*r.op.order(rank), rank), ys[0])


def slice_(r: Request, xs: Arrays, ys: Arrays) -> Steps:
    values = [*r.values[1:], *[None] * (5 - len(r.values))]
    assert r.inputs[0] is not None
    taken = r.op.positions(r.inputs[0].dims, *values)
    yield Step(0, 0, xs[0][tuple(slice(t.start, t.stop if t.stop >= 0 else None, t.step) for t in taken)], ys[0])


def along(axis: int, array: np.ndarray, start: int, stop: int) -> np.ndarray:
    return array[(slice(None),) * (axis % (array.ndim - 1)) + (slice(start, stop),)]


def split(r: Request, xs: Arrays, ys: Arrays) -> Steps:
    start = 0
    for i, y in enumerate(ys):
        stop = start + y.shape[r.op.axis % (y.ndim - 1)]
        yield Step(0, i, along(r.op.axis, xs[0], start, stop), y)
        start = stop


def concat(r: Request, xs: Arrays, ys: Arrays) -> Steps:
    start = 0
    for i, x in enumerate(xs):
        stop = start + x.shape[r.op.axis % (x.ndim - 1)]
        yield Step(i, 0, x, along(r.op.axis, ys[0], start, stop))
        start = stop


def expand(r: Request, xs: Arrays, ys: Arrays) -> Steps:
    yield Step(0, 0, xs[0], ys[0])


def tile(r: Request, xs: Arrays, ys: Arrays) -> Steps:
    *sizes, last = xs[0].shape
    repeats = [total // size for total, size in zip(ys[0].shape, sizes, strict=False)]
    source = [n for size in sizes for n in (1, size)]
    target = [n for size, repeat in zip(sizes, repeats, strict=True) for n in (repeat, size)]
    yield Step(0, 0, xs[0].reshape(*source, last), ys[0].reshape(*target, last))


def gather(r: Request, xs: Arrays, ys: Arrays) -> Steps:
    """Runs of evenly spaced indices."""
    x, y, indices = xs[0], ys[0], r.values[1]
    assert indices is not None
    axis = r.op.axis % (x.ndim - 1)
    before = (slice(None),) * axis
    numbers = [int(i) % x.shape[axis] for i in indices.reshape(-1)]
    y = y.reshape(*x.shape[:axis], len(numbers), *x.shape[axis + 1 :])
    first = 0
    while first < len(numbers):
        step = numbers[first + 1] - numbers[first] if first + 1 < len(numbers) else 1
        stop = first + 1
        while step and stop < len(numbers) and numbers[stop] - numbers[stop - 1] == step:
            stop += 1
        end = numbers[stop - 1] + (1 if step >= 0 else -1)
        run = slice(numbers[first], end if end >= 0 else None, step or 1)
        yield Step(0, 0, x[(*before, run)], y[(*before, slice(first, stop))])
        first = stop


def segments(mode: str, n: int, begin: int, end: int) -> Iterator[tuple[slice, slice]] | None:
    """Parts of one padded axis and what they are in the source; None where the padding would be reflected twice."""
    low, high = max(-begin, 0), n - max(-end, 0)
    kept, begin, end = high - low, max(begin, 0), max(end, 0)
    inner = [(slice(begin, begin + kept), slice(low, high))]
    front, back = slice(0, begin), slice(begin + kept, begin + kept + end)
    if max(begin, end) > {"reflect": kept - 1, "wrap": kept}.get(mode, max(begin, end)):
        return None
    match mode:
        case "edge":
            inner += [(front, slice(low, low + 1)), (back, slice(high - 1, high))]
        case "wrap":
            inner += [(front, slice(high - begin, high)), (back, slice(low, low + end))]
        case "reflect":
            last = high - 2 - end
            inner += [(front, slice(low + begin, low, -1)), (back, slice(high - 2, last if last >= 0 else None, -1))]
    return (pair for pair in inner if pair[0].start < pair[0].stop)


def pad(r: Request, xs: Arrays, ys: Arrays) -> Steps:
    """A constant fills all of the output before the input is copied into it."""
    x, y = xs[0], ys[0]
    pads, axes = r.values[1], r.values[3] if len(r.values) > 3 else None
    assert r.inputs[0] is not None and pads is not None
    amounts = r.op.amounts(r.inputs[0].dims, pads, axes)
    if r.op.mode == "constant":
        yield Step(None, 0, outline(padding(r).shape), y)
    parts = [segments(r.op.mode, n, *a) for n, a in zip(x.shape, amounts, strict=False)]
    if all(p is not None for p in parts):
        for combination in product(*(p for p in parts if p is not None)):
            yield Step(0, 0, x[tuple(source for _, source in combination)], y[tuple(t for t, _ in combination)])


def depth_to_space(r: Request, xs: Arrays, ys: Arrays) -> Steps:
    n, c, h, w, last = xs[0].shape
    b = r.op.blocksize
    target = ys[0].reshape(n, c // (b * b), h, b, w, b, last)
    depth, order = ((b, b, -1), (0, 3, 4, 1, 5, 2, 6)) if r.op.mode == "DCR" else ((-1, b, b), (0, 1, 4, 2, 5, 3, 6))
    yield Step(0, 0, xs[0].reshape(n, *depth, h, w, last).transpose(order), target)


def space_to_depth(r: Request, xs: Arrays, ys: Arrays) -> Steps:
    n, c, h, w, last = xs[0].shape
    b = r.op.blocksize
    source = xs[0].reshape(n, c, h // b, b, w // b, b, last)
    depth, order = ((b, b, c), (0, 3, 5, 1, 2, 4, 6)) if r.op.mode == "DCR" else ((c, b, b), (0, 1, 3, 5, 2, 4, 6))
    yield Step(0, 0, source.transpose(order), ys[0].reshape(n, *depth, h // b, w // b, last))


def channel_shuffle(r: Request, xs: Arrays, ys: Arrays) -> Steps:
    n, c, *rest = xs[0].shape
    g = r.op.group
    yield Step(0, 0, xs[0].reshape(n, g, c // g, *rest).swapaxes(1, 2), ys[0].reshape(n, c // g, g, *rest))


STEPS: dict[str, Callable[[Request, Arrays, Arrays], Steps]] = {
    "Transpose": transpose,
    "Slice": slice_,
    "Split": split,
    "Concat": concat,
    "Expand": expand,
    "Tile": tile,
    "Gather": gather,
    "Pad": pad,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "ChannelShuffle": channel_shuffle,
}


def moved(r: Request) -> list[TensorSpec | None]:
    """The inputs that are moved; all others are parameters."""
    return [*(r.inputs if r.node.kind == "Concat" else r.inputs[:1])]


def can_move(r: Request) -> bool:
    """Whether all parameters are known, and there are elements to move, of 4 or 8 bytes."""
    tensors, count = [*moved(r), *r.outputs], len(moved(r))
    known = all(s is None or v is not None for s, v in zip(r.inputs[count:], r.values[count:], strict=True))
    some = all(s is not None and s.size > 0 for s in tensors)
    return known and some and "" not in r.node.outputs and r.outputs[0].dtype.itemsize in (4, 8)


def outlines(r: Request, shape: Callable[[TensorSpec], Sequence[int]]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Arrays of these shapes for the tensors that are moved, and for the outputs."""
    return [outline(shape(s)) for s in moved(r) if s is not None], [outline(shape(s)) for s in r.outputs]


def plain(spec: TensorSpec) -> Sequence[int]:
    return (*spec.dims, spec.dtype.itemsize // 4)


def choice(
    r: Request, layout: Layout, xs: Arrays, ys: Arrays,
    copy: Callable[[Emitter, Move, Ref, Ref], None], time_s: Callable[[Move], float],
) -> Choice | None:  # fmt: skip
    """One strided copy for each step, by `copy`; a view where nothing moves. None if that takes too many, or axes."""
    steps = list(STEPS[r.node.kind](r, xs, ys))
    found = [Move.between(s.view if s.input is None else xs[s.input], s.view, ys[s.output], s.place) for s in steps]
    moves = [move for move in found if move is not None]
    if not 0 < len(moves) == len(steps) <= max(MOST_STEPS, len(xs), len(ys)):
        return None
    whole = all(m.is_contiguous for m in moves)
    parts = [m.y for m in moves] if r.node.kind == "Concat" and whole else None

    def emit(e: Emitter) -> None:
        for s, move in zip(steps, moves, strict=True):
            if not (parts and s.input is not None and e.placed(s.input)):
                source = e.weights("padding", lambda: padding(r)) if s.input is None else e.input(s.input)
                copy(e, move, source, e.output(s.output))

    inputs: list[Layout | None] = [layout] * len(xs) + [None] * (len(r.inputs) - len(xs))
    if whole and len(steps) == len(xs) == 1 and xs[0].size == ys[0].size:
        return Choice("view", inputs, layout, 0.0, "the same bytes", emit, view=0)
    total_s, reason = sum(map(time_s, moves)), f"{len(moves)} strided copies"
    return Choice("copy", inputs, layout, total_s, reason, emit, parts=parts)


def padding(r: Request) -> np.ndarray:
    """The value to pad with, as the words of one element; one word where all are the same."""
    given = r.values[2] if r.node.kind == "Pad" and len(r.values) > 2 else None
    value = np.zeros((), r.outputs[0].dtype) if given is None else given
    words = np.ascontiguousarray(value).reshape(1).view(np.float32)
    bits = words.view(np.int32)
    return words[:1] if (bits == bits[0]).all() else words
