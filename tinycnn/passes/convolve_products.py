"""Turns dense layers over the channels of [n, h, w, c] into the convolutions that they are."""

from tinycnn.ir import Graph, Node, Operator
from tinycnn.ops.activation import _Elementwise
from tinycnn.ops.broadcast import _Arithmetic
from tinycnn.ops.conv import Conv
from tinycnn.ops.matmul import MatMul
from tinycnn.ops.transpose import Transpose
from tinycnn.passes.rewriter import Rewriter

TO_CHANNELS_FIRST = Transpose((0, 3, 1, 2))


def convolve_products(graph: Graph) -> Graph:
    """A product with a matrix along the last of four axes, which is made the second then, is a 1x1 convolution.

    Before
        constant w: float32[64x256]
        a = MatMul(x, w)
        b = Add(a, bias)
        c = Gelu(b)
        y = Transpose[perm=(0, 3, 1, 2)](c)
    After
        t = Transpose[perm=(0, 3, 1, 2)](x)
        a = Conv(t, w.first)
        b = Add(a, bias.first)
        y = Gelu(b)

    Several such products in a row at once, with functions of elements and arithmetic on channels between; if nothing
    else reads what lies between. Numerics: rounding.
    """
    edit = Rewriter(graph)
    for node in edit:
        nodes = chain(edit, node.inputs[0]) if node.op == TO_CHANNELS_FIRST else []
        if nodes:
            write(edit, node, nodes)
        else:
            edit.keep(node)
    return edit.finish()


def chain(edit: Rewriter, value: str) -> list[Node]:
    """The layers before a value of four axes, the last one first; empty where there is no product among them."""
    nodes: list[Node] = []
    while (node := edit.sole(value)) is not None and (is_product(edit, node) or is_function(edit, node)):
        nodes.append(node)
        value = computed(edit, node)
    while nodes and not isinstance(nodes[-1].op, MatMul):
        nodes.pop()
    return nodes


def computed(edit: Rewriter, node: Node) -> str:
    """The only input that is no constant."""
    return next(name for name in node.inputs if edit.constant(name) is None)


def is_product(edit: Rewriter, node: Node) -> bool:
    """Of what is computed and a constant matrix."""
    w = edit.constant(node.inputs[1]) if node.op == MatMul() else None
    return w is not None and w.ndim == 2 and w.dtype.kind == "f" and edit.constant(node.inputs[0]) is None


def is_function(edit: Rewriter, node: Node) -> bool:
    """Of each element alone, or of it and what a constant holds for its channel."""
    if not isinstance(node.op, _Elementwise | _Arithmetic):
        return False
    constants = [edit.constant(name) for name in node.inputs if name]
    known = [constant for constant in constants if constant is not None]
    most_axes = 1 if isinstance(node.op, _Arithmetic) else 0
    return len(known) == len(constants) - 1 and all(constant.ndim <= most_axes for constant in known)


def write(edit: Rewriter, transpose: Node, nodes: list[Node]) -> None:
    """Writes the layers where the transposition stood, which now comes first."""
    for node in (transpose, *nodes):
        edit.drop(node)
    value = edit.value(f"{transpose.outputs[0]}.first", None)
    edit.write(Node(transpose.op, (computed(edit, nodes[-1]),), (value,), transpose.name))
    for node in reversed(nodes):
        made = transpose.outputs[0] if node is nodes[0] else edit.value(f"{node.outputs[0]}.first", None)
        inputs = tuple(name and (second(edit, name) or value) for name in node.inputs)
        op: Operator = Conv() if isinstance(node.op, MatMul) else node.op
        edit.write(Node(op, inputs, (made,), node.name))
        edit.log(node, "rewritten", "for channels that come second")
        value = made


def second(edit: Rewriter, name: str) -> str:
    """A constant for channels that come second; none where it is no constant."""
    array = edit.constant(name)
    if array is None or not array.ndim:
        return name if array is not None else ""
    return edit.add(f"{name}.first", array.T[:, :, None, None] if array.ndim == 2 else array[:, None, None])
