"""Multiplies integers as the bytes that they fit."""

from dataclasses import dataclass, replace

import numpy as np

from tinycnn.ir import Graph, Node, Operator
from tinycnn.ops.activation import Activation
from tinycnn.ops.channel_shuffle import ChannelShuffle
from tinycnn.ops.conv import Conv
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.integer_conv import IntegerConv
from tinycnn.ops.integer_gemm import IntegerGemm
from tinycnn.ops.matmul import MatMul
from tinycnn.ops.mul import Mul
from tinycnn.passes.fake_quantize import moved
from tinycnn.passes.rewriter import Rewriter

Limits = tuple[float, float]
RELU = Activation("clamp", 0.0, np.inf)
NOTHING = 0.25  # less than a half, which is rounded to zero, by a margin for rounding errors


def multiply_bytes(graph: Graph) -> Graph:
    """A product of integers whose sum is scaled and rounded becomes an IntegerConv or IntegerGemm.

    Before
        i = Div[activation=quantize(-128, 127)](x, s)
        a = Conv(i, w, b)
        j = Mul[activation=quantize(-128, 127)](a, f)
        y = Mul(j, u)
    After
        i = Div[activation=quantize(-128, 127)](x, s)
        y = IntegerConv[activation=quantize(-128, 127), low=-128, scale=u](i, w, b, f)

    For Gemm and MatMul of matrices, and for Conv of one group, or of groups of one channel, whose sums must be exact in
    float32 too. x holds integers that were quantised to 256 values at most, with zero among them; between may stand
    operators that only move elements. Weights are integers of 8 bits. A Relu is a limit of what is quantised. j is
    scaled at once if nothing else reads it. Needs shapes: runs after `bind`. Numerics: exact where sums were; now they
    are up to 2**31.
    """
    edit = Rewriter(graph)
    limits: dict[str, Limits] = {}  # of values that are integers
    for node in edit:
        before = edit.sole(node.inputs[0]) if isinstance(node.op, Mul) else None
        if before is not None and isinstance(before.op, IntegerConv | IntegerGemm) and dequantizes(edit, node, before):
            scale = edit.constant(node.inputs[1])
            assert scale is not None
            edit.replace(node, replace(before.op, scale=scale.item()), before.inputs, before, name=before.name)
            continue
        op = integer_product(edit, node, before, limits) if before is not None else None
        if op is None or before is None:
            edit.keep(node)
            follow(edit, node, limits)
            continue
        x, w, b = (*before.inputs, "")[:3]
        edit.log(before, "recognised", "as a product of bytes")
        follow(edit, edit.replace(node, op, (x, w, b, node.inputs[1]), before, name=before.name), limits)
    return edit.finish()


def follow(edit: Rewriter, node: Node, limits: dict[str, Limits]) -> None:
    """Learns of which integers the outputs of a node are."""
    activation = getattr(node.op, "activation", None)
    data = node.inputs[:1] if isinstance(node.op, ChannelShuffle) else moved(node)
    if isinstance(activation, Activation) and activation.function == "quantize":
        if getattr(node.op, "scale", 1.0) == 1:
            limits[node.outputs[0]] = activation.alpha, activation.beta
    elif data and not isinstance(activation, Activation) and all(edit.name(x) in limits for x in data):
        lows, highs = zip(*(limits[edit.name(x)] for x in data), strict=True)
        limits.update((y, (min(lows), max(highs))) for y in node.outputs if y)


def dequantizes(edit: Rewriter, node: Node, product: Node) -> bool:
    """Whether a Mul scales what the product before it computes, by one number."""
    scale = edit.constant(node.inputs[1])
    assert isinstance(node.op, Mul) and isinstance(product.op, IntegerConv | IntegerGemm)
    return node.op.activation is None and product.op.scale == 1 and scale is not None and scale.shape in ((), (1,))


@dataclass(frozen=True)
class Product:
    """What is the same for all products.

    weights  float32, [outputs, ...] or [..., outputs]
    depth    products of a sum
    factor   shape of a factor for each output
    most     what sums must stay below to be exact
    """

    weights: np.ndarray
    outputs: int
    depth: int
    factor: tuple[int, ...]
    most: int = 2**31


def product_of(edit: Rewriter, node: Node) -> Product | None:
    """A node as a product by constant weights, if kernels may multiply it by bytes."""
    x, w = edit.specs.get(edit.name(node.inputs[0])), edit.constant((*node.inputs, "")[1])
    if x is None or not x.is_static or w is None or w.dtype != np.float32 or not w.size or any(node.inputs[3:]):
        return None
    if type(node.op) is Conv and x.rank in (3, 4):
        shape = w.shape[0], *[1] * (w.ndim - 2)
        if node.op.group == x.dims[1] == w.shape[0]:
            return Product(w, w.shape[0], w.size // w.shape[0], shape, 2**24)
        if node.op.group == 1:
            return Product(w, w.shape[0], w.size // w.shape[0], shape)
    if x.rank == w.ndim == 2 and (type(node.op) is MatMul or is_plain(node.op)):
        k, n = w.shape[::-1] if getattr(node.op, "transB", 0) else w.shape
        return Product(w, n, k, (n,))
    return None


def is_plain(op: Operator) -> bool:
    return type(op) is Gemm and (op.alpha, op.beta, op.transA) == (1, 1, 0)


def integer_product(edit: Rewriter, node: Node, product: Node, limits: dict[str, Limits]) -> Operator | None:
    """A product and the Mul that quantises its sums as one operator, where they can be one."""
    assert isinstance(node.op, Mul)
    target, factor, p = node.op.activation, edit.constant(node.inputs[1]), product_of(edit, product)
    if p is None or target is None or target.function != "quantize" or not target.alpha <= 0 <= target.beta:
        return None
    low, high = limits.get(edit.name(product.inputs[0]), (1.0, 0.0))
    fused: Activation | None = getattr(product.op, "activation", None)
    if not low <= 0 <= high <= low + 255 or fused not in (None, RELU):
        return None
    if factor is None or factor.dtype != np.float32 or factor.ndim > p.weights.ndim:
        return None
    if factor.size != 1 and factor.shape != p.factor:
        return None
    if not (factor > 0).all() or not sums_fit(edit, product, p, factor, max(-low, high)):
        return None
    quantize = target if fused is None else replace(target, alpha=0.0)
    if isinstance(product.op, Conv):
        op = product.op
        return IntegerConv(op.strides, op.pads, op.dilations, op.group, op.auto_pad, quantize, int(low))
    return IntegerGemm(transB=getattr(product.op, "transB", 0), activation=quantize, low=int(low))


def sums_fit(edit: Rewriter, node: Node, p: Product, factor: np.ndarray, reach: float) -> bool:
    """Whether weights are integers of 8 bits, and the bias is of integers, so that no sum is too large, or is scaled to
    nothing whatever it is: channels that died in training have scales of next to zero, and any bias."""
    bias = edit.constant(node.inputs[2]) if any(node.inputs[2:]) else np.zeros(1, np.float32)
    if bias is None or not (bias.size == 1 or (bias.size == p.outputs == bias.shape[-1])):
        return False
    sums = np.abs(bias.astype(np.float64).reshape(-1)) + reach * 128 * p.depth
    if (
        not (np.rint(bias) == bias).all()
        or not ((sums < p.most) | (np.maximum(sums, 2.0**31) * factor.reshape(-1) < NOTHING)).all()
    ):
        return False
    with np.errstate(invalid="ignore"):
        return bool((p.weights.astype(np.int8) == p.weights).all())
