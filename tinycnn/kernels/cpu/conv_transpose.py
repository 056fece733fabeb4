"""Transposed convolution as ordinary ones: outputs that are a stride apart see the same taps of the kernel.

    y[s * j + f] = sum over the taps t with (f + p - d * t) % s == 0 of x[j + (f + p - d * t) / s] w[t]

For each phase f of the rows and of the columns this is a convolution of stride 1 with some of the taps, computed by
im2col. The phases are then interleaved.
Source: Dumoulin and Visin 2016, arXiv:1603.07285, section 4.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace

from tinycnn.kernels import convolution
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cpu import cost
from tinycnn.kernels.cpu.conv_im2col import LAYOUTS, Plan, Taps, tiles
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Layout, Request, blocked_size, blocks, lowers

FIELDS = fields("x:addr y:addr planes oh ow sh sw")


@functools.cache
def interleave(isa: str) -> Kernel:
    """x: the phases one after another, rows first, each [planes][its oh][its ow][lanes]; y: [planes][oh][ow][lanes]."""
    lanes = ISAS[isa].lanes
    vector = 4 * lanes

    def build():
        from tinycnn.kernels.cpu.simd import store, vectors

        load = vectors(lanes).load

        def conv_transpose_interleave(x, y, planes, oh, ow, sh, sw, thread, threads):
            for item in range(planes * oh * thread // threads, planes * oh * (thread + 1) // threads):
                plane, oy = item // oh, item % oh
                phase, j = oy % sh, oy // sh
                before = 0
                for f in range(phase):
                    before += (oh - f + sh - 1) // sh
                height = (oh - phase + sh - 1) // sh
                source = x + before * ow * planes * vector
                for f in range(min(sw, ow)):
                    width = (ow - f + sw - 1) // sw
                    row = source + (plane * height + j) * width * vector
                    to = y + (item * ow + f) * vector
                    for i in range(width):
                        store(to + i * sw * vector, load(row + i * vector))
                    source += planes * height * width * vector

        return conv_transpose_interleave

    def ranges(a: SimpleNamespace) -> Iterable[Range]:
        require_positive(a, "oh sh sw")
        nbytes = a.planes * a.oh * a.ow * vector
        yield Range("x", 0, nbytes)
        yield Range("y", 0, nbytes, writes=True)

    return Kernel(f"conv_transpose_interleave_f32_nchw{lanes}c__{isa}", FIELDS, build, ranges, isa)


def kernels(isa: str) -> Iterable[Kernel]:
    return [interleave(isa)]


MOST_PHASES = 256  # each takes rows of its own


@dataclass(frozen=True)
class Phase:
    """Along one axis: `outputs` positions, the taps that they see, and how far before position 0 the first tap lies."""

    outputs: int
    taps: Taps
    padding: int


def phases(outputs: int, k: int, s: int, d: int, pad: int) -> Iterator[Phase]:
    for f in range(min(s, outputs)):
        shifts = sorted(((f + pad - d * t) // s, t) for t in range(k) if (f + pad - d * t) % s == 0)
        first = shifts[0][0] if shifts else 0
        yield Phase(-(-(outputs - f) // s), tuple((t, shift - first) for shift, t in shifts), -first)


def emit(r: Request, p: ConvProblem, plans: list[Plan], e: Emitter) -> None:
    w, bias = r.values[1], r.values[2] if len(r.values) > 2 else None
    assert w is not None
    # [ci, co / g, kh, kw] -> [co, ci / g, kh, kw]
    grouped = w.reshape(p.g, p.ci // p.g, p.co // p.g, p.kh, p.kw)
    turned = grouped.swapaxes(1, 2).reshape(p.co, p.ci // p.g, p.kh, p.kw)
    shape = (p.n, p.co, p.oh, p.ow)
    y = e.output()
    parts = y if len(plans) == 1 else e.scratch(4 * blocked_size(shape, r.target.lanes))
    offset = 0
    for plan in plans:
        plan.emit(e, parts + offset, turned, bias, 0, r.op.activation)
        offset += 4 * blocked_size((p.n, p.co, plan.p.oh, plan.p.ow), r.target.lanes)
    if len(plans) > 1:
        planes = p.n * blocks(p.co, r.target.lanes)
        e.row(interleave(r.target.name), x=parts, y=y, planes=planes, oh=p.oh, ow=p.ow, sh=p.sh, sw=p.sw)


@lowers("ConvTranspose")
def transposed(r: Request) -> Iterable[Choice]:
    """One choice for each layout of the input."""
    p = convolution.transposed_problem(r)
    if p is None or min(p.sh, p.oh) * min(p.sw, p.ow) > MOST_PHASES:
        return
    rows = list(phases(p.oh, p.kh, p.sh, p.dh, p.pt))
    cols = list(phases(p.ow, p.kw, p.sw, p.dw, p.pl))
    y_bytes = 4 * blocked_size((p.n, p.co, p.oh, p.ow), r.target.lanes)
    for layout in LAYOUTS:
        plans = [
            Plan(
                replace(p, oh=i.outputs, ow=j.outputs, sh=1, sw=1, pt=i.padding, pl=j.padding),
                i.taps, j.taps, r.target, layout, r.threads, tiles(p, r.target)[0],
            )
            for i, j in itertools.product(rows, cols)
        ]  # fmt: skip
        time_s = sum(plan.time_s for plan in plans) + (cost.transfer_s(2 * y_bytes) if len(plans) > 1 else 0)
        reason = f"{len(plans)} phases of {max(plan.k for plan in plans)} taps at most, input {layout}"
        inputs: list[Layout | None] = [layout, None, None]
        run, macs = functools.partial(emit, r, p, plans), sum(plan.macs for plan in plans)
        yield Choice("phases", inputs[: len(r.inputs)], "blocked", time_s, reason, run, macs=macs)
