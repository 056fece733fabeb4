"""Removes what passes its input on, whatever the shape."""

from tinycnn.ir import Graph, Node
from tinycnn.ops.add import Add
from tinycnn.ops.broadcast import _Variadic
from tinycnn.ops.clip import Clip
from tinycnn.ops.concat import Concat
from tinycnn.ops.div import Div
from tinycnn.ops.dropout import Dropout
from tinycnn.ops.identity import Identity
from tinycnn.ops.mul import Mul
from tinycnn.ops.sub import Sub
from tinycnn.ops.transpose import Transpose
from tinycnn.passes.rewriter import Rewriter


def drop_identity(graph: Graph) -> Graph:
    """A node that computes its input is bypassed.

    Before
        a = Identity(x)
        b = Mul(a, one)
        y = Relu(b)
    After
        y = Relu(x)

    Identity, Dropout, a Transpose that moves no axis, a Clip without bounds, Concat, Sum, Mean, Max and Min of one
    input, multiplication by the scalar 1, division by it, addition of the scalar 0 and its subtraction. A graph output
    keeps its name; where its value is also an input or another output, the node stays. Numerics: exact.
    """
    edit = Rewriter(graph)
    for node in edit:
        if is_identity(edit, node):
            edit.log(node, "removed", "passes its input on")
            edit.bypass(node, node.inputs[0])
        else:
            edit.keep(node)
    return edit.finish()


def is_identity(edit: Rewriter, node: Node) -> bool:
    """Whether the first output is always equal to the first input."""
    match node.op:
        case Identity() | Dropout():
            return True
        case Transpose(perm=perm):
            return len(perm) > 0 and perm == tuple(range(len(perm)))
        case Concat() | _Variadic(activation=None):
            return len(node.inputs) == 1
        case Clip():
            return not any(node.inputs[1:])
        case Mul(activation=None) | Div(activation=None):
            return equals(edit, node, 1.0)
        case Add(activation=None) | Sub(activation=None):
            return equals(edit, node, 0.0)
    return False


def equals(edit: Rewriter, node: Node, neutral: float) -> bool:
    """Whether the second operand is this scalar."""
    constant = edit.constant(node.inputs[1])
    return constant is not None and constant.ndim == 0 and constant == neutral
