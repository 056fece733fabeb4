"""Brings means and maxima over whole maps into one form."""

from tinycnn.ir import Graph, Node, Operator
from tinycnn.ops.average_pool import AveragePool
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.global_average_pool import GlobalAveragePool
from tinycnn.ops.global_max_pool import GlobalMaxPool
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.reduce_max import ReduceMax
from tinycnn.ops.reduce_mean import ReduceMean
from tinycnn.passes.rewriter import Rewriter


def recognise_global_pool(graph: Graph) -> Graph:
    """A mean or maximum over the spatial axes of [n, c, h, w] is a global pool, and so is a pool with one window.

    Before, with x: float32[2x8x5x7]
        constant axes: int64[2]                  2, 3
        y = ReduceMean[keepdims=0](x, axes)
    After
        p = GlobalAveragePool(x)
        y = Flatten(p)

    Two means, over one axis each, count as one over both. Needs shapes: runs after `bind`. Numerics: rounding.
    """
    edit = Rewriter(graph)
    for node in edit:
        if not recognise_pool(edit, node) and not recognise_reduction(edit, node):
            edit.keep(node)
    return edit.finish()


def recognise_pool(edit: Rewriter, node: Node) -> bool:
    """A pool with one window that covers its input and nothing else."""
    op = node.op
    if not isinstance(op, AveragePool | MaxPool) or len(node.outputs) > 1:
        return False
    x, y = edit.specs.get(node.inputs[0]), edit.specs.get(node.outputs[0])
    if x is None or y is None or op.kernel_shape != x.dims[2:] or any(op.pads) or y.size != x.dims[0] * x.dims[1]:
        return False
    edit.replace(node, GlobalAveragePool() if isinstance(op, AveragePool) else GlobalMaxPool(), node.inputs)
    return True


def recognise_reduction(edit: Rewriter, node: Node) -> bool:
    """A reduction over the last two axes of four."""
    if not isinstance(node.op, ReduceMean | ReduceMax):
        return False
    x, axes, nodes = node.inputs[0], reduced(edit, node), [node]
    before = edit.sole(x)
    if axes is not None and before is not None and type(before.op) is type(node.op):
        inner = reduced(edit, before)
        if inner is None:
            return False
        left = [axis for axis in range(edit.specs[before.inputs[0]].rank) if before.op.keepdims or axis not in inner]
        x, axes, nodes = before.inputs[0], {*inner, *(left[axis] for axis in axes)}, [node, before]
    spec, y = edit.specs.get(x), edit.specs.get(node.outputs[0])
    if axes is None or spec is None or y is None or spec.rank != 4 or spec.dtype.kind != "f":
        return False
    n, c = spec.dims[:2]
    if axes != set(range(2, spec.rank)) or 0 in spec.dims:
        return False
    pool: Operator = GlobalAveragePool() if isinstance(node.op, ReduceMean) else GlobalMaxPool()
    kept = spec.with_shape((n, c, *[1] * (spec.rank - 2)))
    if y == kept:
        edit.replace(node, pool, (x,), *nodes[1:])
    elif y.dims == (n, c):
        pooled = edit.value(f"{node.outputs[0]}.pooled", kept)
        edit.write(Node(pool, (x,), (pooled,), node.name))
        edit.replace(node, Flatten(), (pooled,), *nodes[1:])
    else:
        return False
    return True


def reduced(edit: Rewriter, node: Node) -> set[int] | None:
    """The axes that a reduction reduces, where they are known."""
    assert isinstance(node.op, ReduceMean | ReduceMax)
    x, axes = edit.specs.get(node.inputs[0]), edit.constant((*node.inputs, "")[1])
    if x is None or (axes is None and any(node.inputs[1:])):
        return None
    return set(node.op.axes(x.rank, axes))
