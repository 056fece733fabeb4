"""Multiplies quantised tensors as the integers that they are."""

from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import Graph, Node, Operator
from tinycnn.ops.activation import Activation
from tinycnn.ops.conv import Conv
from tinycnn.ops.dequantize_linear import DequantizeLinear
from tinycnn.ops.div import Div
from tinycnn.ops.fake_quantize import FakeQuantize
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.matmul import MatMul
from tinycnn.ops.mul import Mul
from tinycnn.ops.relu import Relu
from tinycnn.passes.fake_quantize import moved
from tinycnn.passes.rewriter import Rewriter

REACH = 32  # moves between a FakeQuantize and a product that is to read its integers


def keep_integers(graph: Graph) -> Graph:
    """A product of quantised tensors that is quantised again adds up integers, and scales their sum once.

    Before
        constant v: int8[8x3x3x3]
        f = FakeQuantize(x, s)
        w = DequantizeLinear(v, t)
        a = Conv(f, w)
        y = FakeQuantize(a, u)
    After
        constant v: float32[8x3x3x3]
        i = Div[activation=quantize(-128, 127)](x, s)
        a = Conv(i, v)
        j = Mul[activation=quantize(-128, 127)](a, s t / u)
        y = Mul(j, u)

    For Conv, MatMul and Gemm, with a Relu behind it or not. Weights may have a scale for each output channel; a bias is
    int32 in multiples of s t. Operators that move elements may stand between f and a. The next such product reads j, so
    that y is computed only where something else needs it.

    Numerics: sums of integers below 2**24 are exact in float32, in whatever order. Sums of their multiples are not, and
    where one lies half-way between two integers, its rounding error decides. So this is what integer kernels compute,
    but for Winograd's algorithm, which rounds, and Strassen's, whose sums are up to three times as large on their way.

    Source: Jacob et al., Quantization and Training of Neural Networks, CVPR 2018, section 2.2.
    """
    edit = Rewriter(graph)
    integers = Integers(edit)
    for node in edit:
        if not isinstance(node.op, FakeQuantize) or not requantize(edit, node, integers):
            edit.keep(node)
            integers.follow(node)
    return edit.finish()


class Integers:
    """What is quantised, as (q - zero_point) * scale with one scale, and the float tensors of q - zero_point."""

    def __init__(self, edit: Rewriter):
        self.edit = edit
        self.scales: dict[str, np.float32] = {}
        self.names: dict[str, str] = {}
        self.moves: dict[str, int] = {}  # since the FakeQuantize

    def follow(self, node: Node) -> None:
        """Learns what a node as it stands computes."""
        if isinstance(node.op, FakeQuantize):
            scale = scale_of(self.edit, node)
            if scale is not None:
                self.scales[node.outputs[0]] = scale
        elif (data := moved(node)) and len({self.scales.get(name) for name in data}) == 1 and data[0] in self.scales:
            moves = 1 + max(self.moves.get(name, 0) for name in data)
            if moves <= REACH:
                self.scales.update((y, self.scales[data[0]]) for y in node.outputs if y)
                self.moves.update((y, moves) for y in node.outputs if y)

    def of(self, value: str) -> str:
        """The name of the integers of a value in `scales`; they are written now if nothing has needed them before."""
        node = self.edit.producer(value)
        if value in self.names or node is None:
            return self.names[value]
        if isinstance(node.op, FakeQuantize):
            scale = self.edit.add(f"{value}.scale", np.array(self.scales[value]))
            return self.write(node, Div(quantize(self.edit, node)), node.inputs[0], scale)
        data = moved(node)
        return self.write(node, node.op, *map(self.of, data), *node.inputs[len(data) :], value=value)

    def write(self, node: Node, op: Operator, *inputs: str, value: str = "") -> str:
        """Writes the operator that computes the integers of what `node` computes; the name of those of `value`."""
        names = tuple(self.edit.value(f"{y}.integers", self.edit.specs.get(y)) if y else "" for y in node.outputs)
        self.edit.write(Node(op, inputs, names, node.name))
        self.names.update(zip(node.outputs, names, strict=True))
        return self.names[value or node.outputs[0]]


@dataclass(frozen=True)
class Weights:
    """Integers less their zero point, as float32; scales, [1] or [channels]; the shape of these beside the output."""

    integers: np.ndarray
    scale: np.ndarray
    broadcast: tuple[int, ...]


def requantize(edit: Rewriter, node: Node, integers: Integers) -> bool:
    """Writes a FakeQuantize and the product before it in integers, where that can be done."""
    scale, last = scale_of(edit, node), edit.sole(node.inputs[0])
    product = edit.sole(last.inputs[0]) if last is not None and isinstance(last.op, Relu) else last
    if scale is None or last is None or product is None or not is_plain(product.op):
        return False
    x, weights = edit.name(product.inputs[0]), weights_of(edit, product)
    if weights is None or x not in integers.scales:
        return False
    unit = integers.scales[x] * weights.scale
    bias = bias_of(edit, product, unit)
    if bias is None:
        return False
    w = edit.add(f"{product.inputs[1]}.integers", weights.integers)
    total = integers.write(product, product.op, integers.of(x), w, *bias)
    if last is not product:
        total = integers.write(last, last.op, total)
    y = node.outputs[0]
    factor = edit.add(f"{y}.factor", (unit / scale).reshape(weights.broadcast))
    result = integers.write(node, Mul(quantize(edit, node)), total, factor)
    integers.scales[y] = scale
    between = [] if last is product else [last]
    edit.replace(node, Mul(), (result, edit.add(f"{y}.scale", np.array(scale))), product, *between)
    edit.log(product, "recognised", "as a product of integers")
    return True


def is_plain(op: Operator) -> bool:
    """A product with nothing fused into it yet."""
    if isinstance(op, Gemm):
        return op.activation is None and (op.alpha, op.beta, op.transA) == (1, 1, 0)
    return isinstance(op, Conv | MatMul) and op.activation is None


def scale_of(edit: Rewriter, node: Node) -> np.float32 | None:
    """The scale of a FakeQuantize that has one for the whole tensor, and a constant zero point."""
    assert isinstance(node.op, FakeQuantize)
    scale, zero = (edit.constant(name) for name in (*node.inputs, "")[1:3])
    if scale is None or scale.size != 1 or scale.dtype != np.float32 or not 0 < scale.item() < np.inf:
        return None
    if node.op.block_size or (any(node.inputs[2:]) and (zero is None or zero.size != 1)):
        return None
    return np.float32(scale.item())


def quantize(edit: Rewriter, node: Node) -> Activation:
    """What a FakeQuantize does to its input once that is divided by the scale, less the zero point."""
    assert isinstance(node.op, FakeQuantize)
    zero = edit.constant((*node.inputs, "")[2])
    point = 0 if zero is None else int(zero.item())
    return Activation("quantize", float(node.op.qmin - point), float(node.op.qmax - point))


def weights_of(edit: Rewriter, product: Node) -> Weights | None:
    """The weights of a product, if they are constant integers with one scale, or one for each output channel."""
    found = dequantized(edit, product.inputs[1])
    if found is None:
        return None
    op, q, scale, zero = found
    is_conv = isinstance(product.op, Conv)
    if not (scale > 0).all() or not np.isfinite(scale).all() or (q.ndim < 3 if is_conv else q.ndim != 2):
        return None
    channels = 0 if is_conv or (isinstance(product.op, Gemm) and product.op.transB) else 1
    if scale.size > 1 and (op.block_size or op.axis % q.ndim != channels):
        return None
    integers = q.astype(np.float32) - (0 if zero is None else op.spread(zero, q.shape))
    broadcast = () if scale.size == 1 else (-1, *[1] * (q.ndim - 2 if is_conv else 0))
    return Weights(integers.astype(np.float32), scale.reshape(-1), broadcast)


def bias_of(edit: Rewriter, product: Node, unit: np.ndarray) -> tuple[str, ...] | None:
    """The bias in multiples of `unit`, as a new constant; () where there is none; None where it is no such multiple."""
    if not any(product.inputs[2:]):
        return ()
    found = dequantized(edit, product.inputs[2]) if not any(product.inputs[3:]) else None
    if found is None:
        return None
    _, q, scale, zero = found
    if (zero is not None and zero.any()) or not np.allclose(scale.reshape(-1), unit, rtol=1e-5, atol=0):
        return None
    return (edit.add(f"{product.inputs[2]}.integers", q.astype(np.float32)),)


def dequantized(
    edit: Rewriter, value: str
) -> tuple[DequantizeLinear, np.ndarray, np.ndarray, np.ndarray | None] | None:
    """The operator, integers, scale and zero point of a constant that is dequantised to float32."""
    node = edit.producer(value)
    if node is None or not isinstance(node.op, DequantizeLinear) or node.op.output_dtype:
        return None
    q, scale, zero = (edit.constant(name) for name in (*node.inputs, "")[:3])
    if q is None or scale is None or scale.dtype != np.float32 or (zero is None and any(node.inputs[2:])):
        return None
    try:
        node.op.check(q.shape, scale.shape, None if zero is None else zero.shape)
    except ShapeError:  # told with the node's name when that is folded
        return None
    return node.op, q, scale, zero
