"""Removes what passes its input on because of the shapes that it happens to have."""

from tinycnn.ir import Graph, Node
from tinycnn.ops.cast import Cast
from tinycnn.ops.depth_to_space import DepthToSpace
from tinycnn.ops.expand import Expand
from tinycnn.ops.global_pool import _GlobalPool
from tinycnn.ops.pad import Pad
from tinycnn.ops.pool import _Pool
from tinycnn.ops.resize import Axis, Resize
from tinycnn.ops.slice import Slice
from tinycnn.ops.space_to_depth import SpaceToDepth
from tinycnn.ops.split import Split
from tinycnn.ops.tile import Tile
from tinycnn.passes.rewriter import Rewriter


def drop_noops(graph: Graph) -> Graph:
    """A node that computes its input, given its shape and its constants, is bypassed.

    Before, with x: float32[1x3x8x8]
        constant p: int64[8]                    all zero
        a = Pad(x, p)
        y = Relu(a)
    After
        y = Relu(x)

    Pad by nothing, Slice of everything in order, Resize by 1, Expand and Tile to the same shape, Cast to the same
    dtype, Split into one, blocks of 1x1, and pools of one element. Needs shapes: runs after `bind`. Numerics: exact.
    """
    edit = Rewriter(graph)
    for node in edit:
        x, y = edit.specs.get(node.inputs[0] if node.inputs else ""), edit.specs.get(node.outputs[0])
        if x is not None and x == y and len(node.outputs) == 1 and is_noop(edit, node, x.dims):
            edit.log(node, "removed", "passes its input on")
            edit.bypass(node, node.inputs[0])
        else:
            edit.keep(node)
    return edit.finish()


def is_noop(edit: Rewriter, node: Node, shape: tuple[int, ...]) -> bool:
    """Whether the node computes its input, which has the shape and dtype of its output."""
    constants = [edit.constant(name) for name in node.inputs[1:]]
    if any(name and value is None for name, value in zip(node.inputs[1:], constants, strict=True)):
        return False
    match node.op:
        case Cast() | Expand() | Tile() | Split() | DepthToSpace() | SpaceToDepth():
            return True
        case _GlobalPool():
            return all(size == 1 for size in shape[2:]) and node.kind != "GlobalLpPool"
        case _Pool(kernel_shape=kernel, pads=pads):
            return all(size == 1 for size in kernel) and not any(pads) and node.kind != "LpPool"
        case Pad() as op if constants[0] is not None:
            return all(b == e == 0 for b, e in op.amounts(shape, constants[0], (*constants, None, None)[2]))
        case Slice() as op:
            whole = [range(size) for size in shape]
            return op.positions(shape, *(*constants, None, None)[:4]) == whole
        case Resize(coordinate_transformation_mode=mode) as op if mode != "tf_crop_and_resize":
            return op.plan(shape, *(*constants, None, None, None)[:3]) == [Axis(size, size, 1.0) for size in shape]
    return False
