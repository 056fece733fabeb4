"""Adds up the weights of parallel convolutions instead of their results: blocks are trained with more branches than
they need afterwards."""

from dataclasses import dataclass, replace

import numpy as np

from tinycnn.ir import Graph, Node
from tinycnn.ops.add import Add
from tinycnn.ops.conv import Conv
from tinycnn.ops.scale_shift import ScaleShift
from tinycnn.ops.sum import Sum
from tinycnn.passes.affine import new_bias, old_bias
from tinycnn.passes.rewriter import Rewriter


def merge_branches(graph: Graph) -> Graph:
    """The sum of two convolutions of one value is one convolution.

    Before
        a = Conv[pads=(1, 1, 1, 1)](x, w3x3, b)
        c = Conv(x, w1x1)
        y = Add(a, c)
    After
        y = Conv[pads=(1, 1, 1, 1)](x, w3x3, b)

    If the taps of one are among those of the other, for the same strides, dilations and groups; a multiply-add per
    channel of the same value, as a batch normalisation beside convolutions leaves, is a convolution, too. If nothing
    else reads the branches. Numerics: rounding.

    Source: Ding et al. 2021, arXiv:2101.03697, section 3.3.
    """
    edit = Rewriter(graph)
    for node in edit:
        if not merge(edit, node):
            edit.keep(node)
    return edit.finish()


@dataclass(frozen=True)
class Branch:
    """A convolution w [co, ci / group, *kernel] with nothing fused into it, fields of its operator written out."""

    node: Node
    op: Conv
    w: np.ndarray
    b: np.ndarray

    @property
    def axes(self) -> int:
        return self.w.ndim - 2

    def offset_in(self, wide: "Branch") -> tuple[int, ...] | None:
        """Where in the other's kernel its own begins, so that it computes the same; None where it is not inside."""
        begins: list[int] = []
        for i in range(self.axes):
            k, most, d = self.w.shape[2 + i], wide.w.shape[2 + i], wide.op.dilations[i]
            before, after = (wide.op.pads[i + j * self.axes] - self.op.pads[i + j * self.axes] for j in (0, 1))
            begin, rest = divmod(before, d)
            if rest or not 0 <= begin <= most - k or after != d * (most - k - begin):
                return None
            begins.append(begin)
        kernels = zip(self.w.shape[2:], self.op.dilations, wide.op.dilations, strict=True)
        return tuple(begins) if all(k == 1 or one == other for k, one, other in kernels) else None


def merge(edit: Rewriter, node: Node) -> bool:
    if not isinstance(node.op, Add | Sum) or len(node.inputs) != 2 or node.op.activation is not None:
        return False
    one, other = map(edit.sole, node.inputs)
    if one is None or other is None or edit.name(one.inputs[0]) != edit.name(other.inputs[0]):
        return False
    a, b = convolution(edit, one), convolution(edit, other)
    a, b = a or (b and diagonal(edit, one, b)), b or (a and diagonal(edit, other, a))
    if a is None or b is None or (a.op.strides, a.op.group, a.axes) != (b.op.strides, b.op.group, b.axes):
        return False
    for wide, narrow in ((a, b), (b, a)):
        offset = narrow.offset_in(wide) if a.w.shape[:2] == b.w.shape[:2] else None
        if offset is not None:
            write(edit, node, wide, narrow, offset)
            return True
    return False


def convolution(edit: Rewriter, node: Node) -> Branch | None:
    op = node.op
    w = edit.constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if not isinstance(op, Conv) or op.activation is not None or op.auto_pad != "NOTSET" or any(node.inputs[3:]):
        return None
    b = old_bias(edit, node)
    if w is None or w.ndim < 3 or w.dtype.kind != "f" or b is None or b.shape not in ((1,), w.shape[:1]):
        return None
    ones, none = (1,) * (w.ndim - 2), (0, 0) * (w.ndim - 2)
    written = replace(op, strides=op.strides or ones, dilations=op.dilations or ones, pads=op.pads or none)
    return Branch(node, written, w, b)


def diagonal(edit: Rewriter, node: Node, like: Branch) -> Branch | None:
    """A multiply-add per channel as a convolution with the groups of another."""
    co, ci_g = like.w.shape[:2]
    if not isinstance(node.op, ScaleShift) or node.op.activation is not None:
        return None
    scale, shift = (edit.constant(name) for name in node.inputs[1:])
    if scale is None or shift is None or scale.shape != (co,) or co != ci_g * like.op.group:
        return None
    if any(stride != 1 for stride in like.op.strides):
        return None
    w = np.zeros((co, ci_g, *[1] * like.axes), like.w.dtype)
    w.reshape(co, ci_g)[np.arange(co), np.arange(co) % ci_g] = scale
    ones = (1,) * like.axes
    return Branch(node, replace(like.op, pads=(0, 0) * like.axes, dilations=ones), w, shift.astype(np.float64))


def write(edit: Rewriter, node: Node, wide: Branch, narrow: Branch, offset: tuple[int, ...]) -> None:
    w = wide.w.astype(np.float64)
    inside = tuple(slice(begin, begin + k) for begin, k in zip(offset, narrow.w.shape[2:], strict=True))
    w[:, :, *inside] += narrow.w
    before = wide.node if isinstance(wide.node.op, Conv) else narrow.node
    x, name = before.inputs[:2]
    bias = new_bias(edit, before, np.broadcast_to(wide.b + narrow.b, w.shape[:1]), wide.w.dtype)
    with np.errstate(over="ignore"):
        weights = edit.change(name, w.astype(wide.w.dtype))
    edit.replace(node, wide.op, (x, weights, *filter(None, [bias])), wide.node, narrow.node, name=before.name)
    edit.log(node, "merged", f"{narrow.node.kind} {narrow.node.name!r} into Conv {before.name!r}")
