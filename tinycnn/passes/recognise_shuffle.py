"""Finds what exporters spell as Reshape, Transpose and Reshape."""

import math

from tinycnn.ir import Graph, Node, Operator
from tinycnn.ops.channel_shuffle import ChannelShuffle
from tinycnn.ops.depth_to_space import DepthToSpace
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.reshape import Reshape
from tinycnn.ops.shapes import Shape
from tinycnn.ops.space_to_depth import SpaceToDepth
from tinycnn.ops.squeeze import Squeeze
from tinycnn.ops.transpose import Transpose
from tinycnn.ops.unsqueeze import Unsqueeze
from tinycnn.passes.rewriter import Rewriter

VIEWS = Reshape | Flatten | Squeeze | Unsqueeze

# For a block of b x b: where its two axes stand in the six-dimensional tensor between, as it comes from [n, c, h, w];
# the axes that make up n, c, h and w; the permutation; and the operator.
BLOCKS = (
    ((2, 3), ((0,), (1, 2, 3), (4,), (5,)), (0, 1, 4, 2, 5, 3), lambda b: DepthToSpace(b, "CRD")),
    ((1, 2), ((0,), (1, 2, 3), (4,), (5,)), (0, 3, 4, 1, 5, 2), lambda b: DepthToSpace(b, "DCR")),
    ((3, 5), ((0,), (1,), (2, 3), (4, 5)), (0, 3, 5, 1, 2, 4), SpaceToDepth),
)


def recognise_shuffle(graph: Graph) -> Graph:
    """Reshape, Transpose, Reshape that deal out channels are ChannelShuffle, DepthToSpace or SpaceToDepth.

    Before, with x: float32[1x6x4x4]
        a = Reshape(x, s)                        [1, 2, 3, 4, 4]
        b = Transpose[perm=(0, 2, 1, 3, 4)](a)
        y = Reshape(b, t)                        [1, 6, 4, 4]
    After
        y = ChannelShuffle[group=2](x)

    If nothing else reads `a` and `b`. Where y has another shape than the operator gives, a Reshape follows it; axes of
    size 1 and axes that stay neighbours do not matter. Needs shapes: runs after `bind`. Numerics: exact.

    Source: Zhang et al., arXiv:1707.01083, section 3.1; Shi et al., arXiv:1609.05158, section 3.2.
    """
    edit = Rewriter(graph)
    for node in edit:
        transpose = edit.sole(node.inputs[0]) if isinstance(node.op, VIEWS) else None
        before = edit.sole(transpose.inputs[0]) if transpose and isinstance(transpose.op, Transpose) else None
        op = shuffle(edit, before, transpose) if before and transpose and isinstance(before.op, VIEWS) else None
        if before is None or transpose is None or op is None:
            edit.keep(node)
            continue
        edit.log(node, "recognised", f"as {op.kind}")
        x, y = edit.specs[before.inputs[0]], edit.specs[node.outputs[0]]
        (result,) = op.infer([x], [None]) or (None,)
        if result == y:
            edit.replace(node, op, before.inputs[:1], transpose, before)
        else:
            between = edit.value(f"{node.outputs[0]}.shuffled", result)
            edit.write(Node(op, before.inputs[:1], (between,), transpose.name))
            edit.replace(node, node.op, (between, *node.inputs[1:]), transpose, before)
    return edit.finish()


def shuffle(edit: Rewriter, before: Node, transpose: Node) -> Operator | None:
    """The operator whose output holds the elements of the transpose's output in their order."""
    x, mid = edit.specs.get(before.inputs[0]), edit.specs.get(before.outputs[0])
    if x is None or mid is None or x.rank < 3 or 0 in x.dims:
        return None
    assert isinstance(transpose.op, Transpose)
    order = transpose.op.order(mid.rank)
    for (i, j), axes, perm, make in BLOCKS:
        if order == perm and mid.dims[i] == mid.dims[j]:
            if x.dims == tuple(math.prod(mid.dims[axis] for axis in group) for group in axes):
                return make(mid.dims[i])
    n, c, pixels = x.dims[0], x.dims[1], x.size // (x.dims[0] * x.dims[1])
    sizes, order = merged(mid.dims, order)
    match sizes, order:
        case (g, k), (1, 0) if n == pixels == 1:
            return ChannelShuffle(g) if g * k == c else None
        case (g, k, rest), (1, 0, 2) if n == 1 and rest == pixels and g * k == c:
            return ChannelShuffle(g)
        case (batch, g, k), (0, 2, 1) if batch == n and pixels == 1 and g * k == c:
            return ChannelShuffle(g)
        case (batch, g, k, rest), (0, 2, 1, 3) if batch == n and rest == pixels and g * k == c:
            return ChannelShuffle(g)
    return None


def merged(sizes: Shape, order: Shape) -> tuple[Shape, Shape]:
    """The same permutation without axes of size 1, and with axes that it keeps side by side taken as one."""
    rank = {axis: i for i, axis in enumerate(axis for axis, size in enumerate(sizes) if size != 1)}
    groups: list[list[int]] = []
    for axis in filter(rank.__contains__, order):
        if groups and rank[axis] == rank[groups[-1][-1]] + 1:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    ranked = sorted(groups)
    return tuple(math.prod(sizes[axis] for axis in group) for group in ranked), tuple(map(ranked.index, groups))
