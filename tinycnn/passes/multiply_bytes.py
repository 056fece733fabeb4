"""Convolves integers as the bytes that they fit."""

from dataclasses import replace

import numpy as np

from tinycnn.ir import Graph, Node
from tinycnn.ops.activation import Activation
from tinycnn.ops.channel_shuffle import ChannelShuffle
from tinycnn.ops.conv import Conv
from tinycnn.ops.integer_conv import IntegerConv
from tinycnn.ops.mul import Mul
from tinycnn.passes.fake_quantize import moved
from tinycnn.passes.rewriter import Rewriter

Limits = tuple[float, float]
RELU = Activation("clamp", 0.0, np.inf)
NOTHING = 0.25  # less than a half, which is rounded to zero, by a margin for rounding errors


def multiply_bytes(graph: Graph) -> Graph:
    """A convolution of integers whose sum is scaled and rounded becomes an IntegerConv.

    Before
        i = Div[activation=quantize(-128, 127)](x, s)
        a = Conv(i, w, b)
        j = Mul[activation=quantize(-128, 127)](a, f)
        y = Mul(j, u)
    After
        i = Div[activation=quantize(-128, 127)](x, s)
        y = IntegerConv[activation=quantize(-128, 127), low=-128, scale=u](i, w, b, f)

    For one group, and for groups of one channel, whose sums must be exact in float32 too. x holds integers that were
    quantised to 256 values at most, with zero among them; between may stand operators that only move elements. Weights
    are integers of 8 bits. A Relu is a limit of what is quantised. j is scaled at once if nothing else reads it. Needs
    shapes: runs after `bind`. Numerics: exact where sums were; now they are up to 2**31.
    """
    edit = Rewriter(graph)
    limits: dict[str, Limits] = {}  # of values that are integers
    for node in edit:
        before = edit.sole(node.inputs[0]) if isinstance(node.op, Mul) else None
        if before is not None and isinstance(before.op, IntegerConv) and dequantizes(edit, node, before.op):
            scale = edit.constant(node.inputs[1])
            assert scale is not None
            edit.replace(node, replace(before.op, scale=scale.item()), before.inputs, before, name=before.name)
            continue
        op = integer_conv(edit, node, before, limits) if before is not None and type(before.op) is Conv else None
        if op is None or before is None:
            edit.keep(node)
            follow(edit, node, limits)
            continue
        x, w, b = (*before.inputs, "")[:3]
        edit.log(before, "recognised", "as a convolution of bytes")
        follow(edit, edit.replace(node, op, (x, w, b, node.inputs[1]), before, name=before.name), limits)
    return edit.finish()


def follow(edit: Rewriter, node: Node, limits: dict[str, Limits]) -> None:
    """Learns of which integers the outputs of a node are."""
    activation = getattr(node.op, "activation", None)
    data = node.inputs[:1] if isinstance(node.op, ChannelShuffle) else moved(node)
    if isinstance(activation, Activation) and activation.function == "quantize":
        limits[node.outputs[0]] = activation.alpha, activation.beta
    elif data and not isinstance(activation, Activation) and all(edit.name(x) in limits for x in data):
        lows, highs = zip(*(limits[edit.name(x)] for x in data), strict=True)
        limits.update((y, (min(lows), max(highs))) for y in node.outputs if y)


def dequantizes(edit: Rewriter, node: Node, op: IntegerConv) -> bool:
    """Whether a Mul scales what the convolution before it computes, by one number."""
    scale = edit.constant(node.inputs[1])
    assert isinstance(node.op, Mul)
    return node.op.activation is None and op.scale == 1 and scale is not None and scale.shape in ((), (1,))


def integer_conv(edit: Rewriter, node: Node, conv: Node, limits: dict[str, Limits]) -> IntegerConv | None:
    """A convolution and the Mul that quantises its sums as one operator, where they can be one."""
    assert isinstance(node.op, Mul) and isinstance(conv.op, Conv)
    target, found = node.op.activation, limits.get(edit.name(conv.inputs[0]))
    x, factor = edit.specs.get(edit.name(conv.inputs[0])), edit.constant(node.inputs[1])
    if target is None or target.function != "quantize" or found is None or x is None or x.rank not in (3, 4):
        return None
    low, high = found
    w, reach = edit.constant(conv.inputs[1]), max(-low, high)
    if not (low <= 0 <= high <= low + 255) or not target.alpha <= 0 <= target.beta or any(conv.inputs[3:]):
        return None
    if w is None or conv.op.activation not in (None, RELU) or not is_depthwise(conv.op, w, x.dims[1]):
        return None
    most = 2**31 if conv.op.group == 1 else 2**24
    if factor is None or not is_factor(factor, w) or not sums_fit(edit, conv, w, factor, reach, most):
        return None
    lo = target.alpha if conv.op.activation is None else 0.0
    fields = (conv.op.strides, conv.op.pads, conv.op.dilations, conv.op.group, conv.op.auto_pad)
    return IntegerConv(*fields, Activation("quantize", lo, target.beta), int(low))


def is_depthwise(op: Conv, w: np.ndarray, channels: int) -> bool:
    """Whether groups are of one channel, in and out, or there is but one group."""
    return op.group == 1 or (op.group == channels == w.shape[0] and w.shape[1] == 1)


def is_factor(factor: np.ndarray, w: np.ndarray) -> bool:
    """Whether it is one positive number, or one for each output channel."""
    shape = (w.shape[0], *[1] * (w.ndim - 2))
    return factor.dtype == np.float32 and (factor.size == 1 or factor.shape == shape) and bool((factor > 0).all())


def sums_fit(edit: Rewriter, conv: Node, w: np.ndarray, factor: np.ndarray, reach: float, most: int) -> bool:
    """Whether weights are integers of 8 bits, and the bias is of integers, so that no sum reaches `most`, or is scaled
    to nothing whatever it is: channels that died in training have scales of next to zero, and any bias."""
    bias = edit.constant((*conv.inputs, "")[2]) if any(conv.inputs[2:]) else np.zeros(1, np.float32)
    if bias is None or not (np.rint(bias) == bias).all() or w.dtype != np.float32:
        return False
    sums = np.abs(bias.astype(np.float64)) + reach * 128 * (w.size // max(1, w.shape[0]))
    if not ((sums < most) | (np.maximum(sums, 2.0**31) * factor.reshape(-1) < NOTHING)).all():
        return False
    with np.errstate(invalid="ignore"):
        return bool((w.astype(np.int8) == w).all())
