"""Applies an elementwise function where its input is stored, instead of reading and writing that once more."""

import dataclasses
from typing import Any

from tinycnn.ir import Graph, Node
from tinycnn.ops.activation import Activation
from tinycnn.passes.rewriter import Rewriter


def fuse_activation(graph: Graph) -> Graph:
    """An elementwise function becomes the activation of the operator that computes its input.

    Before
        a = Conv(x, w, b)
        y = Relu(a)
    After
        y = Conv[activation=clamp(0, inf)](x, w, b)

    For every operator with a field `activation` that is free, and every function that `Op.activation` describes, if
    nothing else reads `a`, which holds floats. Numerics: exact.
    """
    edit = Rewriter(graph)
    for node in edit:
        function = activation_of(edit, node)
        before = edit.sole(node.inputs[0]) if function else None
        if before is not None and has_room(edit, before):
            op: Any = before.op
            edit.replace(node, dataclasses.replace(op, activation=function), before.inputs, before, name=before.name)
            edit.log(node, "fused", f"into {before.kind} {before.name!r}")
        else:
            edit.keep(node)
    return edit.finish()


def activation_of(edit: Rewriter, node: Node) -> Activation | None:
    """The node as a function of one number, if it is one."""
    describe = getattr(node.op, "activation", None)
    if not callable(describe) or any(name and name not in edit.constants for name in node.inputs[1:]):
        return None
    function: Activation | None = describe(*map(edit.constant, node.inputs[1:]))
    return function


def has_room(edit: Rewriter, node: Node) -> bool:
    """Whether the operator could apply an activation and applies none; one that also takes integers, only where it is
    known not to."""
    if getattr(node.op, "activation", ...) is not None:
        return False
    spec = edit.specs.get(node.outputs[0])
    return getattr(node.op, "dtypes", "") == "f" or (spec is not None and spec.dtype.kind == "f")
