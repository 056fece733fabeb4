"""Turns dense layers over the channels of [n, h, w, c] into the convolutions that they are."""

from dataclasses import dataclass

from tinycnn.ir import Graph, Node
from tinycnn.ops.activation import _Elementwise
from tinycnn.ops.add import Add
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
        a = Conv(t, w.kernel, bias)
        y = Gelu(a)

    Several such products in a row at once, with elementwise functions between; if nothing else reads what lies between.
    Numerics: rounding.
    """
    edit = Rewriter(graph)
    for node in edit:
        links = chain(edit, node.inputs[0]) if node.op == TO_CHANNELS_FIRST else []
        if links:
            write(edit, node, links)
        else:
            edit.keep(node)
    return edit.finish()


@dataclass(frozen=True)
class Link:
    """A layer of a chain: its nodes, the last one first, and what it reads. w and bias: of a product, else none."""

    nodes: tuple[Node, ...]
    x: str
    w: str = ""
    bias: str = ""


def chain(edit: Rewriter, value: str) -> list[Link]:
    """The layers before a value of four axes, the last one first; empty where there is no product among them."""
    links: list[Link] = []
    while (link := product(edit, value) or function(edit, value)) is not None:
        links.append(link)
        value = link.x
    while links and not links[-1].w:
        links.pop()
    return links


def product(edit: Rewriter, value: str) -> Link | None:
    """A MatMul by a constant matrix, and the bias that is added to it."""
    node = edit.sole(value)
    if node is None:
        return None
    if isinstance(node.op, Add) and node.op.activation is None:
        for x, bias in (node.inputs, node.inputs[::-1]):
            link, b = product(edit, x), edit.constant(bias)
            if link is not None and not link.bias and b is not None:
                w = edit.constant(link.w)
                if w is not None and b.shape == w.shape[1:]:
                    return Link((node, *link.nodes), link.x, link.w, bias)
        return None
    w = edit.constant(node.inputs[1]) if node.op == MatMul() else None
    if w is None or w.ndim != 2 or w.dtype.kind != "f":
        return None
    return Link((node,), node.inputs[0], node.inputs[1])


def function(edit: Rewriter, value: str) -> Link | None:
    """A function of each element alone."""
    node = edit.sole(value)
    if node is None or not isinstance(node.op, _Elementwise):
        return None
    parameters = [edit.constant(name) for name in node.inputs[1:] if name]
    if any(parameter is None or parameter.ndim for parameter in parameters):
        return None
    return Link((node,), node.inputs[0])


def write(edit: Rewriter, transpose: Node, links: list[Link]) -> None:
    """Writes the layers where the transposition stood, which now comes first."""
    edit.drop(transpose)
    for link in links:
        for node in link.nodes:
            edit.drop(node)
    value = edit.value(f"{transpose.outputs[0]}.first", None)
    edit.write(Node(transpose.op, (links[-1].x,), (value,), transpose.name))
    for i, link in reversed(list(enumerate(links))):
        name, output = link.nodes[-1].name, link.nodes[0].outputs[0]
        made = edit.value(f"{output}.first", None) if i else transpose.outputs[0]
        if link.w:
            w = edit.constants[edit.name(link.w)]
            kernel = edit.add(f"{link.w}.kernel", w.T[:, :, None, None])
            edit.write(Node(Conv(), (value, kernel, *filter(None, [link.bias])), (made,), name))
            edit.log(link.nodes[-1], "rewritten", "as a 1x1 convolution")
        else:
            edit.write(Node(link.nodes[0].op, (value, *link.nodes[0].inputs[1:]), (made,), name))
        value = made
