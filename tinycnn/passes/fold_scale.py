"""Folds multiplications and additions of constants per channel into the weights beside them."""

import numpy as np

from tinycnn.ir import Graph, Node
from tinycnn.ops.activation import _Elementwise
from tinycnn.ops.add import Add
from tinycnn.ops.average_pool import AveragePool
from tinycnn.ops.div import Div
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.global_average_pool import GlobalAveragePool
from tinycnn.ops.global_max_pool import GlobalMaxPool
from tinycnn.ops.global_pool import _GlobalPool
from tinycnn.ops.leaky_relu import LeakyRelu
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.mul import Mul
from tinycnn.ops.pool import _Pool
from tinycnn.ops.prelu import PRelu
from tinycnn.ops.relu import Relu
from tinycnn.ops.reshape import Reshape
from tinycnn.ops.squeeze import Squeeze
from tinycnn.ops.sub import Sub
from tinycnn.ops.transpose import Transpose
from tinycnn.ops.unsqueeze import Unsqueeze
from tinycnn.passes.absorb_after import channels_after, source
from tinycnn.passes.absorb_before import absorb_before, channels_before
from tinycnn.passes.affine import Affine
from tinycnn.passes.ranks import ranks
from tinycnn.passes.rewriter import Rewriter

# f(s x) = s f(x) for every s, and for every s > 0.
HOMOGENEOUS = AveragePool | GlobalAveragePool | Flatten | Reshape | Squeeze | Unsqueeze | Transpose
POSITIVELY_HOMOGENEOUS = Relu | LeakyRelu | PRelu | MaxPool | GlobalMaxPool

REACH = 32  # nodes that are looked through for a number of channels


def fold_scale(graph: Graph) -> Graph:
    """A multiplication or addition of a constant disappears in the linear operator before or after it.

    Before
        constant s: float32[scalar]
        constant m: float32[5x1x1]
        a = Conv(x, w, b)
        c = Add(a, m)
        d = Relu(c)
        e = Mul(d, s)
        y = Gemm(Flatten(e), v)
    After
        a = Conv(x, w, b + m)
        d = Relu(a)
        y = Gemm(Flatten(d), v s)

    Constants are scalars or one number per channel. Before: Add, Sub, Mul and Div after a Conv, ConvTranspose, Gemm
    or ScaleShift of which nothing else reads the output, also through Resize, AveragePool and Concat. After: the next
    such operator, if nothing else reads what lies
    between; a shift only without padding; a scalar factor also through functions with f(s x) = s f(x), for positive s
    only also through MaxPool and Relu. So the keep probability of a dropout ends in the weights of the next layer.
    Numerics: rounding.

    Source: Srivastava et al., JMLR 15 (2014), section 4, for dropout.
    """
    edit, rank = Rewriter(graph), ranks(graph)
    for node in edit:
        linear: Node | None = node
        while linear is not None and (found := factor_before(edit, linear, rank)):
            linear = fold_into_consumer(edit, linear, *found)
        if linear is node and not fold_into_producer(edit, node, rank):
            edit.keep(node)
    return edit.finish()


def operands(edit: Rewriter, node: Node) -> tuple[str, np.ndarray] | None:
    """The variable operand and the constant of a binary operation with one of each."""
    if not isinstance(node.op, Add | Sub | Mul | Div) or node.op.activation is not None:
        return None
    a, b = map(edit.constant, node.inputs)
    if a is None and b is not None and b.dtype.kind == "f":
        return node.inputs[0], b
    if b is None and a is not None and a.dtype.kind == "f" and not isinstance(node.op, Div):
        return node.inputs[1], a
    return None


def affine_of(node: Node, x: str, constant: np.ndarray) -> Affine:
    """What the operation does to x, the constant being one number or a vector."""
    value = constant.astype(np.float64).reshape(-1)
    one, zero = np.ones(1), np.zeros(1)
    match node.op:
        case Add():
            return Affine(one, value)
        case Sub():
            return Affine(one, -value) if x == node.inputs[0] else Affine(-one, value)
        case Mul():
            return Affine(value, zero)
    with np.errstate(divide="ignore"):
        return Affine(1 / value, zero)


def is_per_channel(constant: np.ndarray, rank: int, channels: int) -> bool:
    """Whether the constant broadcasts along axis 1 of a tensor [n, channels, ...] of this rank and nowhere else."""
    if constant.ndim > rank:
        return False
    shape = (1,) * (rank - constant.ndim) + constant.shape
    return constant.size == 1 or (rank > 1 and shape[1] == channels == constant.size)


def fold_into_producer(edit: Rewriter, node: Node, rank: dict[str, int]) -> bool:
    found = operands(edit, node)
    before = source(edit, found[0]) if found else None
    if found is None or before is None:
        return False
    x, constant = found
    channels = sum(before.channels)
    if not is_per_channel(constant, before.rank or rank.get(x, 1), channels):
        return False
    if not before.absorb(edit, affine_of(node, x, constant)):
        return False
    edit.log(node, "folded", f"into {before}")
    edit.bypass(node, x, takes_name=True)
    return True


def factor_before(edit: Rewriter, node: Node, rank: dict[str, int]) -> tuple[Node, str, Affine] | None:
    """The operation by a constant that the weights of a linear node can take up, and its variable operand."""
    size = channels_before(edit, node)
    value, direct, positive = node.inputs[0] if size else "", True, False
    while size is not None and (before := edit.sole(value)) is not None:
        found = operands(edit, before)
        if found:
            x, constant = found
            affine = affine_of(before, x, constant)
            if direct and constant.size > 1:
                fits = is_per_channel(constant, size[1], size[0]) and has_channels(edit, x, *size)
            else:
                fits = constant.size == 1 and constant.ndim <= rank.get(x, 0)
            if not direct:
                fits = fits and not affine.shift.any() and (not positive or affine.scale[0] > 0)
            return (before, x, affine) if fits else None
        if not isinstance(before.op, HOMOGENEOUS | POSITIVELY_HOMOGENEOUS):
            return None
        positive = positive or isinstance(before.op, POSITIVELY_HOMOGENEOUS)
        value, direct = before.inputs[0], False
    return None


def has_channels(edit: Rewriter, value: str, channels: int, rank: int) -> bool:
    """Whether a value certainly has this rank and this number of channels, so that nothing is broadcast over them."""
    for _ in range(REACH):
        node = edit.producer(value)
        if node is None:
            break
        size = channels_after(edit, node)
        if size is not None:
            return size[0] == channels and size[1] in (rank, 0)
        found = operands(edit, node)
        if found and is_per_channel(found[1], rank, channels):
            value = found[0]
        elif isinstance(node.op, _Elementwise | _Pool | _GlobalPool):
            value = node.inputs[0]
        else:
            return False
    spec = edit.graph.inputs.get(edit.name(value))
    return spec is not None and spec.shape is not None and len(spec.shape) == rank and spec.shape[1] == channels


def fold_into_consumer(edit: Rewriter, node: Node, before: Node, x: str, affine: Affine) -> Node | None:
    absorbed = absorb_before(edit, node, affine)
    if absorbed is None:
        return None
    written = edit.replace(node, *absorbed)
    edit.log(before, "folded", f"into {node.kind} {node.name!r}")
    edit.bypass(before, x)
    return written
