"""Applies an elementwise function where its input is stored, instead of reading and writing that once more."""

import dataclasses
from typing import Any

from tinycnn.ir import Graph, Node
from tinycnn.ops.activation import Activation
from tinycnn.ops.channel_shuffle import ChannelShuffle
from tinycnn.ops.concat import Concat
from tinycnn.ops.depth_to_space import DepthToSpace
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.reshape import Reshape
from tinycnn.ops.slice import Slice
from tinycnn.ops.space_to_depth import SpaceToDepth
from tinycnn.ops.squeeze import Squeeze
from tinycnn.ops.transpose import Transpose
from tinycnn.ops.unsqueeze import Unsqueeze
from tinycnn.passes.rewriter import Rewriter

DEPTH = 16  # nodes that are looked through
MOVES = (
    Reshape | Flatten | Squeeze | Unsqueeze | Transpose | Slice | ChannelShuffle | DepthToSpace | SpaceToDepth
)  # fmt: skip


def fuse_activation(graph: Graph) -> Graph:
    """An elementwise function becomes the activation of the operator that computes its input.

    Before
        a = Conv(x, w, b)
        y = Relu(a)
    After
        y = Conv[activation=clamp(0, inf)](x, w, b)

    For every operator with a field `activation` that is free, and every function that `Op.activation` describes, if
    nothing else reads `a`, which holds floats. Also through operators that only move elements, through Concat, of which
    then every input comes from such an operator, and, as far as the function never decreases, through MaxPool.
    Numerics: exact.
    """
    edit = Rewriter(graph)
    for node in edit:
        function = activation_of(edit, node)
        stores = where_stored(edit, node.inputs[0], function) if function else None
        if not stores:
            edit.keep(node)
            continue
        for before in stores:
            op: Any = before.op
            edit.amend(before, dataclasses.replace(op, activation=function), before.inputs)
        edit.log(node, "fused", f"into {', '.join(f'{before.kind} {before.name!r}' for before in stores)}")
        edit.bypass(node, node.inputs[0], takes_name=True)
    return edit.finish()


def activation_of(edit: Rewriter, node: Node) -> Activation | None:
    """The node as a function of one number, if it is one."""
    describe = getattr(node.op, "activation", None)
    if not callable(describe) or any(name and name not in edit.constants for name in node.inputs[1:]):
        return None
    function: Activation | None = describe(*map(edit.constant, node.inputs[1:]))
    return function


def where_stored(edit: Rewriter, value: str, function: Activation, depth: int = DEPTH) -> list[Node] | None:
    """The nodes that store the elements of a value that is read once, and can apply the function to them."""
    node = edit.sole(value)
    if node is None or not depth:
        return None
    if has_room(edit, node):
        return [node]
    match node.op:
        case Concat():
            parts = [where_stored(edit, name, function, depth - 1) for name in node.inputs]
            found = [part for part in parts if part is not None]
            return [store for part in found for store in part] if len(found) == len(parts) else None
        case MaxPool() if not is_increasing(function):
            return None
        case _ if isinstance(node.op, MaxPool | MOVES):
            return where_stored(edit, node.inputs[0], function, depth - 1)
    return None


def is_increasing(function: Activation) -> bool:
    """Whether it never decreases, and costs so little that it may be applied to more elements."""
    return function.function == "clamp" or (function.function == "leaky_relu" and function.alpha >= 0)


def has_room(edit: Rewriter, node: Node) -> bool:
    """Whether the operator could apply an activation and applies none; one that also takes integers, only where it is
    known not to."""
    if getattr(node.op, "activation", ...) is not None:
        return False
    spec = edit.specs.get(edit.name(node.outputs[0]))
    return getattr(node.op, "dtypes", "") == "f" or (spec is not None and spec.dtype.kind == "f")
