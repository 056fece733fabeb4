"""Channels that change places in the blocked layout: concat, split and shuffle across block boundaries."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cpu import cost
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, blocked_size, blocks, can_block, lowers

CHUNK = 256  # pixels of one block that a thread takes at once


def touched(v: SimpleNamespace, lanes: int) -> Iterable[Range]:
    beyond = 4 * (lanes - 1)  # the last vector may be read from any of its lanes on
    yield Range("x", 0, 4 * lanes * v.n * v.xb * v.spatial + beyond)
    yield Range("y", 0, 4 * lanes * v.n * v.yb * v.spatial, writes=True)


@functools.cache
def shift(isa: str) -> Kernel:
    """y[:, first : first + count] = x[:, start : start + count] for f32 x and y of xb and yb blocks of channels.

    Of `first` and `start` one must be 0. Channels of y before `first` keep their values; those behind the last, up to
    its block's end, lose them.
    """
    lanes = ISAS[isa].lanes

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import inline, store, vectors

        load, load_behind = vectors(lanes).load, vectors(lanes).load_behind
        size = 4 * lanes

        @inline
        def forward(p, q, nbytes):
            for k in range(0, nbytes, size):
                store(q + k, load(p + k))

        @inline
        def append(old, p, q, kept, nbytes):
            """The first `kept` lanes from `old`, the others from the first ones of p."""
            p -= 4 * kept
            for k in range(0, nbytes, size):
                store(q + k, load_behind(p + k, kept, load(old + k)))

        def kernel(x, y, n, xb, yb, spatial, first, count, start, thread, threads):
            block = size * spatial
            b0, b1 = first // lanes, (first + count + lanes - 1) // lanes
            per_block = (spatial + CHUNK - 1) // CHUNK
            pieces = n * (b1 - b0) * per_block
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                image, pixel = piece // per_block, piece % per_block * CHUNK
                image, b = image // (b1 - b0), b0 + image % (b1 - b0)
                channel = b * lanes - first + start
                source, r = (channel + lanes) // lanes - 1, channel % lanes
                p = x + (image * xb + source) * block + size * pixel
                q = y + (image * yb + b) * block + size * pixel
                nbytes = size * min(CHUNK, spatial - pixel)
                if source < 0:
                    append(q, p + block, q, lanes - r, nbytes)
                elif r > 0 and source + 1 < xb:
                    append(p + 4 * r, p + block, q, lanes - r, nbytes)
                else:
                    forward(p + 4 * r, q, nbytes)

        return kernel

    def ranges(v: SimpleNamespace) -> Iterable[Range]:
        require_positive(v, "count")
        require(v.first == 0 or v.start == 0, "one of first and start must be 0")
        require(v.start + v.count <= v.xb * lanes and v.first + v.count <= v.yb * lanes, "channels that do not exist")
        x, y = touched(v, lanes)
        yield x
        yield Range("y", 4 * lanes * v.spatial * (v.first // lanes), y.stop, writes=True)

    name = f"copy_shift_f32_nchw{lanes}c__{isa}"
    return Kernel(name, fields("x:addr y:addr n xb yb spatial first count start"), build, ranges, isa)


@functools.cache
def shuffle(isa: str) -> Kernel:
    """y[:, 2 k + i] = x[:, i * half + k] for f32 x and y of xb = yb blocks of 2 * half channels."""
    lanes = ISAS[isa].lanes

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import store, vectors

        load, load_behind, interleave = vectors(lanes).load, vectors(lanes).load_behind, vectors(lanes).interleave
        size = 4 * lanes

        def kernel(x, y, n, xb, yb, spatial, half, thread, threads):
            block = size * spatial
            per_block = (spatial + CHUNK - 1) // CHUNK
            pieces = n * yb * per_block
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                image, pixel = piece // per_block, piece % per_block * CHUNK
                image, b = image // yb, image % yb
                even = b * (lanes // 2)
                odd = even + half
                p = x + image * xb * block + size * pixel
                evens = p + even // lanes * block + 4 * (even % lanes)
                odds = p + odd // lanes * block + 4 * (odd % lanes)
                q = y + (image * yb + b) * block + size * pixel
                nbytes = size * min(CHUNK, spatial - pixel)
                kept = lanes - odd % lanes
                if kept < lanes // 2 and odd // lanes + 1 < xb:
                    others = p + (odd // lanes + 1) * block - 4 * kept
                    for k in range(0, nbytes, size):
                        store(q + k, interleave(load(evens + k), load_behind(others + k, kept, load(odds + k))))
                else:
                    for k in range(0, nbytes, size):
                        store(q + k, interleave(load(evens + k), load(odds + k)))

        return kernel

    def ranges(v: SimpleNamespace) -> Iterable[Range]:
        require_positive(v, "yb")
        require(((v.yb - 1) * (lanes // 2) + v.half) // lanes < v.xb, "channels that do not exist")
        return touched(v, lanes)

    name = f"copy_shuffle_f32_nchw{lanes}c__{isa}"
    return Kernel(name, fields("x:addr y:addr n xb yb spatial half"), build, ranges, isa)


@functools.cache
def gather(isa: str) -> Kernel:
    """y[:, k] = x[:, source k] for f32 y of c channels; table[k] holds (source // lanes, source % lanes) as int64."""
    lanes = ISAS[isa].lanes

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import load_f32, load_i64, store_f32

        size = 4 * lanes

        def kernel(x, y, table, n, c, xb, yb, spatial, thread, threads):
            block = size * spatial
            per_block = (spatial + CHUNK - 1) // CHUNK
            pieces = n * yb * per_block
            for piece in range(pieces * thread // threads, pieces * (thread + 1) // threads):
                image, pixel = piece // per_block, piece % per_block * CHUNK
                image, b = image // yb, image % yb
                nbytes = size * min(CHUNK, spatial - pixel)
                for lane in range(min(lanes, c - b * lanes)):
                    entry = table + 16 * (b * lanes + lane)
                    p = x + (image * xb + load_i64(entry)) * block + 4 * load_i64(entry + 8) + size * pixel
                    q = y + (image * yb + b) * block + 4 * lane + size * pixel
                    for k in range(0, nbytes, size):
                        store_f32(q + k, load_f32(p + k))

        return kernel

    def ranges(v: SimpleNamespace) -> Iterable[Range]:
        block, lane = v.table[: 2 * v.c].reshape(v.c, 2).T
        require(v.c == 0 or (0 <= block.min() and block.max() < v.xb), "blocks that do not exist")
        require(v.c == 0 or (0 <= lane.min() and lane.max() < lanes), "lanes that do not exist")
        return touched(v, lanes)

    name = f"copy_gather_f32_nchw{lanes}c__{isa}"
    return Kernel(name, fields("x:addr y:addr table:table n c xb yb spatial"), build, ranges, isa)


def kernels(isa: str) -> Iterable[Kernel]:
    yield shift(isa)
    yield shuffle(isa)
    yield gather(isa)


def blocked(r: Request) -> bool:
    """Whether all that is moved can be blocked, and nothing is empty."""
    count = len(r.inputs) if r.node.kind == "Concat" else 1
    return all(can_block(s) and s is not None and s.size > 0 for s in (*r.inputs[:count], *r.outputs))


def sizes(r: Request, x: Sequence[int], y: Sequence[int]) -> dict[str, int]:
    """Values of the fields `n xb yb spatial`."""
    lanes = r.target.lanes
    return {"n": x[0], "xb": blocks(x[1], lanes), "yb": blocks(y[1], lanes), "spatial": math.prod(x[2:])}


def moved_s(r: Request, count: int = 1) -> float:
    nbytes = sum(4 * blocked_size(s.dims, r.target.lanes) for s in r.outputs)
    return cost.transfer_s(2 * nbytes) + (count - 1) * cost.ROW_S


@lowers("Concat")
def concat(r: Request) -> Iterable[Choice]:
    """Along the channels. Inputs that begin and end at a block boundary can be computed in place."""
    if not blocked(r) or r.op.axis % r.outputs[0].rank != 1:
        return
    lanes, y = r.target.lanes, r.outputs[0].dims
    xs = [s.dims for s in r.inputs if s is not None]
    firsts = [sum(x[1] for x in xs[:i]) for i in range(len(xs))]
    aligned = all(first % lanes == 0 for first in firsts)
    parts = [4 * first * math.prod(y[2:]) for first in firsts] if aligned and y[0] == 1 else None

    def emit(e: Emitter) -> None:
        for i, (x, first) in enumerate(zip(xs, firsts, strict=True)):
            if not (parts and e.placed(i)):
                place = {"first": first, "count": x[1], "start": 0}
                e.row(shift(r.target.name), x=e.input(i), y=e.output(), **place, **sizes(r, x, y))

    reason = "on block boundaries" if aligned else "across block boundaries"
    time_s = cost.ROW_S if parts else moved_s(r, len(xs))  # most inputs are computed where they belong
    yield Choice("shift", ["blocked"] * len(xs), "blocked", time_s, reason, emit, parts=parts)


@lowers("Split", "Slice", "Gather", "ChannelShuffle")
def select(r: Request) -> Iterable[Choice]:
    """Channels of one input: a run of them, two halves dealt out in turn, or any by number."""
    wanted = channels(r) if blocked(r) and "" not in r.node.outputs else None
    x = r.inputs[0]
    if not wanted or x is None:
        return
    isa, c = r.target.name, x.dims[1]
    runs = all(list(w) == list(range(w[0], w[0] + len(w))) for w in wanted)
    halves = c % 2 == 0 and list(wanted[0]) == [i for k in range(c // 2) for i in (k, k + c // 2)]

    def emit(e: Emitter) -> None:
        for i, w in enumerate(wanted):
            values = {"x": e.input(0), "y": e.output(i)} | sizes(r, x.dims, r.outputs[i].dims)
            if runs:
                e.row(shift(isa), first=0, count=len(w), start=w[0], **values)
            elif halves:
                e.row(shuffle(isa), half=c // 2, **values)
            else:
                entries = np.array([divmod(k, r.target.lanes) for k in w], np.int64)
                table = e.table(entries)
                e.row(gather(isa), table=table, c=len(w), **values)

    algorithm, factor = ("shift", 1) if runs else ("shuffle", 1) if halves else ("gather", 8)
    inputs: list[Layout | None] = ["blocked", *[None] * (len(r.inputs) - 1)]
    time_s = factor * moved_s(r, len(wanted))
    yield Choice(algorithm, inputs, "blocked", time_s, "channels change places", emit)


def channels(r: Request) -> list[Sequence[int]] | None:
    """For each output the channels of x that it holds; None where more than channels changes, or it is not known."""
    x, op = r.inputs[0], r.op
    assert x is not None
    c = x.dims[1]
    match r.node.kind:
        case "ChannelShuffle":
            return [np.arange(c).reshape(op.group, -1).T.ravel().tolist()]
        case "Split" if op.axis % x.rank == 1:
            ends = np.cumsum([0, *(y.dims[1] for y in r.outputs)]).tolist()
            return [range(a, b) for a, b in pairwise(ends)]
        case "Gather" if op.axis % x.rank == 1 and r.values[1] is not None and r.values[1].ndim == 1:
            return [[int(i) % c for i in r.values[1]]]
        case "Slice" if all(s is None or v is not None for s, v in zip(r.inputs, r.values, strict=True) if s is not x):
            taken = op.positions(x.dims, *r.values[1:], *[None] * (5 - len(r.values)))
            if all(len(t) == n and t.step > 0 for i, (t, n) in enumerate(zip(taken, x.dims, strict=True)) if i != 1):
                return [taken[1]]
    return None
