"""Finds the activations that exporters spell out as several nodes."""

import numpy as np

from tinycnn.ir import Graph, Node, Operator
from tinycnn.ops.add import Add
from tinycnn.ops.clip import Clip
from tinycnn.ops.div import Div
from tinycnn.ops.hard_sigmoid import HardSigmoid
from tinycnn.ops.hard_swish import HardSwish
from tinycnn.ops.mish import Mish
from tinycnn.ops.mul import Mul
from tinycnn.ops.sigmoid import Sigmoid
from tinycnn.ops.softplus import Softplus
from tinycnn.ops.swish import Swish
from tinycnn.ops.tanh import Tanh
from tinycnn.passes.rewriter import Rewriter


def recognise_swish(graph: Graph) -> Graph:
    """x times a gate that is computed from x is one function of x.

    Before
        g = Sigmoid(x)
        y = Mul(x, g)
    After
        y = Swish(x)

    Likewise HardSwish for HardSigmoid[alpha=1/6, beta=1/2](x), or clip(x + 3, 0, 6) / 6, divided before or after the
    product; Mish for Tanh(Softplus(x)); and HardSigmoid for clip(x + a, 0, h) / h wherever it stands. If nothing else
    reads what lies between. Numerics: rounding.
    """
    edit = Rewriter(graph)
    for node in edit:
        if not recognise_gate(edit, node) and not recognise_hard_sigmoid(edit, node):
            edit.keep(node)
    return edit.finish()


def recognise_gate(edit: Rewriter, node: Node) -> bool:
    """Mul(x, gate(x)), the operands in either order."""
    if not isinstance(node.op, Mul) or node.op.activation is not None:
        return False
    for x, gate in (node.inputs, node.inputs[::-1]):
        found = gated(edit, x, edit.sole(gate))
        if found:
            write(edit, node, found[0], x, *found[1])
            return True
    return False


def gated(edit: Rewriter, x: str, gate: Node | None) -> tuple[Operator, list[Node]] | None:
    """What x times the gate is, and the nodes of the gate."""
    inner = edit.sole(gate.inputs[0]) if gate is not None else None
    if gate is None:
        return None
    match gate.op, inner.op if inner is not None else None:
        case Sigmoid(), _ if gate.inputs[0] == x:
            return Swish(), [gate]
        case HardSigmoid(alpha=alpha, beta=beta), _ if gate.inputs[0] == x and close(alpha, 1 / 6) and close(beta, 0.5):
            return HardSwish(), [gate]
        case Tanh(), Softplus() if inner is not None and inner.inputs[0] == x:
            return Mish(), [gate, inner]
    return None


def recognise_hard_sigmoid(edit: Rewriter, node: Node) -> bool:
    """clip(x + a, 0, h) / h, or x clip(x + 3, 0, 6) / 6, which is a hard swish."""
    factor = divisor(edit, node)
    before = edit.sole(factor[0]) if factor else None
    if factor is None or before is None:
        return False
    h = factor[1]
    ramp = ramp_of(edit, before, h)
    if ramp is not None:
        x, a, nodes = ramp
        write(edit, node, HardSigmoid(1 / h, a / h), x, *nodes)
        return True
    if not isinstance(before.op, Mul) or before.op.activation is not None or not close(h, 6):
        return False
    for x, gate in (before.inputs, before.inputs[::-1]):
        clip = edit.sole(gate)
        ramp = ramp_of(edit, clip, h) if clip is not None else None
        if ramp is not None and ramp[0] == x and close(ramp[1], 3):
            write(edit, node, HardSwish(), x, before, *ramp[2])
            return True
    return False


def ramp_of(edit: Rewriter, clip: Node, h: float) -> tuple[str, float, list[Node]] | None:
    """x, a and the nodes of clip(x + a, 0, h)."""
    add = edit.sole(clip.inputs[0]) if isinstance(clip.op, Clip) else None
    if add is None or not isinstance(add.op, Add) or add.op.activation is not None:
        return None
    low, high = (number(edit, name) for name in (*clip.inputs, "", "")[1:3])
    if low != 0 or high is None or not close(high, h):
        return None
    for x, a in (add.inputs, add.inputs[::-1]):
        offset = number(edit, a)
        if offset is not None and x not in edit.constants:
            return x, offset, [clip, add]
    return None


def divisor(edit: Rewriter, node: Node) -> tuple[str, float] | None:
    """y and h of y / h or y * (1 / h), h being a positive number."""
    if not isinstance(node.op, Div | Mul) or node.op.activation is not None:
        return None
    for y, constant in (node.inputs, node.inputs[::-1])[: 1 if isinstance(node.op, Div) else 2]:
        value = number(edit, constant)
        if value is not None and value > 0:
            return y, value if isinstance(node.op, Div) else 1 / value
    return None


def number(edit: Rewriter, name: str) -> float | None:
    """The value of a float constant of rank 0."""
    constant = edit.constant(name)
    return float(constant) if constant is not None and constant.dtype.kind == "f" and not constant.ndim else None


def close(a: float, b: float) -> bool:
    """Equal but for the rounding of float32."""
    return bool(np.isclose(a, b, rtol=1e-6, atol=0))


def write(edit: Rewriter, node: Node, op: Operator, x: str, *between: Node) -> None:
    edit.replace(node, op, (x,), *between)
    edit.log(node, "recognised", f"as {op.kind}")
