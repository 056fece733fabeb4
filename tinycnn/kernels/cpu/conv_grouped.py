"""Convolution in groups of few channels, as many out as in: depthwise with one, else one of a vector's divisors.

    y[ox .. ox + rows - 1][lanes] += x[ox * sw + kx * dw .. ][lanes // group * group + j] * w[ky, kx, j][lanes]

A block of the blocked layout holds whole groups, so a vector of outputs needs the vectors of inputs of its own block
alone; for each j < group the j-th channels are repeated over their groups. Lanes behind the last channel are groups of
their own. A register tile holds neighbouring outputs of one row. Nothing is padded or copied: kernel rows outside the
input are left out, and a tile that reaches over the left or right border reads zeros there.
"""

import functools
from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np

from tinycnn.kernels import convolution
from tinycnn.kernels.convolution import ConvProblem
from tinycnn.kernels.cpu import conv, cost, tuning
from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields, require, require_positive
from tinycnn.kernels.lowering import Choice, Emitter, Request, blocks, can_block, lowers, to_blocked

FIELDS = fields(
    "x:addr w:addr bias:addr res:addr factor:addr y:addr act:code act_args:addr lo:f32 hi:f32 scale:f32 "
    "planes cblocks h width oh ow kh kw sh sw dh dw pt:signed pl:signed"
)


@functools.cache
def kernel(isa: str, rows: int, taps: int, stride: int, group: int) -> Kernel:
    """For kernels `taps` wide, undilated; taps = 1: of any width and dilation. Stride 0: any stride.

    group: channels of one, a divisor of the lanes.
    """
    lanes = ISAS[isa].lanes
    vector, quantizes = 4 * lanes, group == 1 and bool(ISAS[isa].dot)

    def build():
        from tinycnn.kernels.cpu.simd import call
        from tinycnn.kernels.cpu.sliding import output_row

        compute_row = output_row(rows, taps, stride, group, lanes, quantizes)

        def conv_grouped(
            x, w, bias, res, factor, y, act, act_args, lo, hi, scale,
            planes, cblocks, h, width, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, thread, threads,
        ):  # fmt: skip
            zero = w + cblocks * kh * kw * group * vector
            line = width * vector
            item, stop = planes * oh * thread // threads, planes * oh * (thread + 1) // threads
            plane, oy = item // oh, item % oh
            block = plane % cblocks
            while item < stop:
                source, to = x + plane * h * line, y + item * ow * vector
                taps_at = w + block * kh * kw * group * vector
                b = bias + block * vector if bias != 0 else 0
                r = res + item * ow * vector if res != 0 else 0
                f = factor + block * vector if factor != 0 else 0
                compute_row(
                    source, taps_at, b, r, f, to, lo, hi, scale, oy * sh - pt, h, width, ow, kh, kw, sw, dh, dw, pl,
                    zero,
                )  # fmt: skip
                if act != 0:
                    call(act, act_args, to, ow * lanes)
                item += 1
                oy += 1
                if oy == oh:
                    oy, plane, block = 0, plane + 1, block + 1
                    if block == cblocks:
                        block = 0

        return conv_grouped

    algorithm = f"grouped{group}" if group > 1 else "depthwise"
    name = f"conv_{algorithm}_{taps}tap_s{stride}_f32_nchw{lanes}c_{rows}x1__{isa}"
    return Kernel(name, FIELDS, build, functools.partial(ranges, rows, taps, group, lanes), isa)


def ranges(rows: int, taps: int, group: int, lanes: int, a: SimpleNamespace) -> Iterable[Range]:
    vector = 4 * lanes
    require_positive(a, "cblocks oh")
    require_window(taps, a)
    y_bytes = a.planes * a.oh * a.ow * vector
    yield Range("x", 0, a.planes * a.h * a.width * vector + 4 * (group - 1))
    yield Range("w", 0, (a.cblocks * a.kh * a.kw * group + 1) * vector + 4 * (group - 1))
    yield Range("y", 0, y_bytes, writes=True)
    if a.bias:
        yield Range("bias", 0, a.cblocks * vector)
    if a.res:
        yield Range("res", 0, y_bytes + max(0, rows - a.ow) * vector)
    require(not a.factor or group == 1, "only depthwise kernels quantize")
    if a.factor:
        yield Range("factor", 0, a.cblocks * vector)
    if a.act_args:
        yield Range("act_args", 0, 16)


def require_window(taps: int, a: SimpleNamespace) -> None:
    """For `ranges`: of what calls `sliding.output_row`."""
    require(a.kw % taps == 0, "the kernel is not as wide as its window")
    reach = max(a.kh * a.dh, a.kw * a.dw, a.oh * a.sh, a.ow * a.sw)
    require(reach < 1 << 60, "the kernel reaches beyond all addresses")


def windows(isa: str, group: int) -> Iterable[tuple[int, int, int]]:
    """The arguments (rows, taps, stride) of all kernels for groups of so many channels."""
    rows = tuning.GROUPED_ROWS[isa]
    yield from ((r, *window) for r in rows for window in tuning.GROUPED_WINDOWS[group])
    yield from ((rows[-1], 1, stride) for stride in (0, 1))


def kernels(isa: str) -> Iterable[Kernel]:
    for group in tuning.GROUPED_WINDOWS:
        if ISAS[isa].lanes % group == 0:
            yield from (kernel(isa, *window, group) for window in windows(isa, group))


def pack(w: np.ndarray, lanes: int) -> np.ndarray:
    """Weights [c, group, kh, kw] as [blocks][kh][kw][group][lanes], then one vector of zeros: that of the padding."""
    packed = to_blocked(w.transpose(1, 0, 2, 3), lanes).transpose(1, 2, 3, 0, 4)
    return np.concatenate([packed.ravel(), np.zeros(lanes, np.float32)])


def variants(p: ConvProblem, isa: str) -> Iterable[tuple[int, int, int, int]]:
    """The arguments (rows, taps, stride, group) of the kernels that compute this problem."""
    rows, group = tuning.GROUPED_ROWS[isa], p.ci // p.g
    if p.dw == 1 and (p.kw, p.sw) in tuning.GROUPED_WINDOWS[group]:
        return [(r, p.kw, p.sw, group) for r in rows]
    return [(rows[-1], 1, 1 if p.sw == 1 else 0, group)]


def emit(r: Request, p: ConvProblem, variant: tuple[int, int, int, int], e: Emitter) -> None:
    w, bias = convolution.weights(r)
    lanes = r.target.lanes
    cblocks = blocks(p.co, lanes)
    if r.node.kind == "IntegerConv":
        finish = {**conv.requantization(e, r, cblocks * lanes), "act": 0, "act_args": 0}
    else:
        finish = {**conv.epilogue(e, r.op.activation, r.target.name), "factor": 0, "scale": 1.0}
    e.row(
        kernel(r.target.name, *variant),
        x=e.input(0),
        w=e.weights(f"grouped {lanes}", lambda: pack(w, lanes)),
        bias=0 if bias is None else e.weights(f"bias {lanes}", lambda: conv.padded_bias(bias, cblocks * lanes)),
        res=e.input(3) if convolution.has_residual(r) else 0,
        y=e.output(),
        planes=p.n * cblocks,
        cblocks=cblocks,
        **conv.sizes(p, "h width oh ow kh kw sh sw dh dw pt pl"),
        **finish,
    )


def macs(p: ConvProblem, rows: int, lanes: int) -> int:
    """In whole tiles of `rows` outputs; kernel rows outside of the input are left out."""
    kernel_rows = 0
    for before in range(p.pt, p.pt - p.kh * p.dh, -p.dh):  # from the input's first row to this one for output row 0
        first, last = max(0, -(-before // p.sh)), min(p.oh - 1, (p.h - 1 + before) // p.sh)
        kernel_rows += max(0, last - first + 1)
    return p.n * blocks(p.co, lanes) * lanes * kernel_rows * p.kw * (p.ci // p.g) * -(-p.ow // rows) * rows


@lowers("Conv", "IntegerConv")
def grouped(r: Request) -> Iterable[Choice]:
    """As many filters a group as it has channels; all else is left to the convolutions by matrix products."""
    p = convolution.problem(r)
    if p is None or not can_block(r.inputs[0]) or p.ci != p.co:
        return
    if r.node.kind == "IntegerConv" and (not r.target.multiplies_bytes or r.values[3] is None or p.ci != p.g):
        return
    isa, lanes, group = r.target.name, r.target.lanes, p.ci // p.g
    if group not in tuning.GROUPED_WINDOWS or lanes % group or p.g == 1 < group:
        return
    planes = p.n * blocks(p.co, lanes)
    nbytes = 4 * lanes * planes * (p.h * p.w + p.oh * p.ow)
    for rows, taps, stride, _ in variants(p, isa):
        products = lanes * planes * p.oh * -(-p.ow // rows) * rows * p.kh * p.kw * group
        core = cost.core(isa)
        efficiency = core.grouped[group > 1][taps > 1]
        time_s = cost.overlap_s(products / (core.peak_macs * efficiency), cost.transfer_s(nbytes))
        reason = f"{p.ow} outputs in tiles of {rows}, {'shared' if taps > 1 else 'separate'} input vectors"
        run = functools.partial(emit, r, p, (rows, taps, stride, group))
        yield Choice(
            "grouped" if group > 1 else "depthwise", conv.input_layouts(r, "blocked"), "blocked", time_s, reason, run,
            macs=macs(p, rows, lanes), variant=f"{rows}x1",
        )  # fmt: skip
