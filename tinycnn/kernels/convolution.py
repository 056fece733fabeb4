"""A convolution in numbers, whatever platform computes it."""

from dataclasses import dataclass

import numpy as np

from tinycnn.kernels.lowering import Request, can_block


@dataclass(frozen=True)
class ConvProblem:
    """A 2-d convolution; a 1-d one has h = kh = 1. Sizes in elements."""

    n: int
    ci: int
    h: int
    w: int
    co: int
    oh: int
    ow: int
    kh: int
    kw: int
    sh: int = 1
    sw: int = 1
    dh: int = 1
    dw: int = 1
    pt: int = 0
    pl: int = 0
    pb: int = 0
    pr: int = 0
    g: int = 1

    @property
    def macs(self) -> int:
        return self.n * self.co * self.oh * self.ow * (self.ci // self.g) * self.kh * self.kw

    @property
    def padded(self) -> bool:
        return any((self.pt, self.pl, self.pb, self.pr))

    @property
    def flat(self) -> bool:
        """Whether outputs are of the input's first pixels, one by one: a 1x1 kernel that skips none, not even where the
        one output of a row leaves the others out."""
        return (self.kh, self.kw, self.sh, self.sw) == (1, 1, 1, 1) and not self.padded and self.ow == self.w


def pair(values: tuple[int, ...], default: int) -> tuple[int, int]:
    """Per-axis attribute (h, w) of a 1-d or 2-d operator."""
    if not values:
        return default, default
    return (default, values[0]) if len(values) == 1 else (values[0], values[1])


def steps(values: tuple[int, ...], counts: tuple[int, int]) -> tuple[int, int]:
    """Strides of so many outputs or dilations of so many taps, (h, w): a step of one says nothing, however large."""
    h, w = (step if count > 1 else 1 for step, count in zip(pair(values, 1), counts, strict=True))
    return h, w


def problem(r: Request) -> ConvProblem | None:
    """The problem of a Conv or IntegerConv request; None unless f32, 1-d or 2-d, with constant weights and bias."""
    x, w, y, op = r.inputs[0], r.values[1], r.outputs[0], r.op
    if x is None or w is None or x.dtype != np.float32 or w.dtype != np.float32 or x.rank not in (3, 4):
        return None
    if len(r.inputs) > 2 and r.inputs[2] is not None and r.values[2] is None:
        return None
    if 0 in x.dims or 0 in y.dims:
        return None
    n, ci, *xs = x.dims
    co, *ys = y.dims[1:]
    h, width = (1, *xs)[-2:]
    oh, ow = (1, *ys)[-2:]
    kh, kw = (1, *w.shape[2:])[-2:]
    sh, sw = steps(op.strides, (oh, ow))
    dh, dw = steps(op.dilations, (kh, kw))
    pads = op.pads or (0,) * (2 * len(xs))
    pt, pl, pb, pr = pads if len(pads) == 4 else (0, pads[0], 0, pads[1])
    return ConvProblem(n, ci, h, width, co, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, pb, pr, op.group)


def weights(r: Request) -> tuple[np.ndarray, np.ndarray | None]:
    """Weights [co, ci / g, kh, kw] and bias [co] or None of a Conv request that `problem` accepts."""
    w = r.values[1]
    assert w is not None
    bias = r.values[2] if len(r.values) > 2 else None
    return w.reshape(w.shape[0], w.shape[1], -1, w.shape[-1]), bias


def has_residual(r: Request) -> bool:
    return r.node.kind == "Conv" and len(r.inputs) > 3 and r.inputs[3] is not None


def transposed_problem(r: Request) -> ConvProblem | None:
    """The problem of a ConvTranspose request, its attributes as they stand; None unless f32, 1-d or 2-d, with constant
    weights."""
    x, w, y, op = r.inputs[0], r.values[1], r.outputs[0], r.op
    if x is None or w is None or not can_block(x) or w.dtype != np.float32 or 0 in x.dims or 0 in y.dims:
        return None
    if len(r.inputs) > 2 and r.inputs[2] is not None and r.values[2] is None:
        return None
    (n, ci), co = x.dims[:2], y.dims[1]
    (h, width), (oh, ow), (kh, kw) = ((1, *dims)[-2:] for dims in (x.dims[2:], y.dims[2:], w.shape[2:]))
    sh, sw = (s if size > 1 else 1 for s, size in zip(pair(op.strides, 1), (h, width), strict=True))
    dh, dw = (d if k > 1 else 1 for d, k in zip(pair(op.dilations, 1), (kh, kw), strict=True))
    pads = op.pads or (0,) * (2 * (x.rank - 2))
    pt, pl = pads[:2] if len(pads) == 4 else (0, pads[0])
    return ConvProblem(n, ci, h, width, co, oh, ow, kh, kw, sh, sw, dh, dw, pt, pl, 0, 0, op.group)
