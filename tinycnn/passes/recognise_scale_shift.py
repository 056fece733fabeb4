"""Merges multiplications and additions of constants per channel that no weights take up."""

import numpy as np

from tinycnn.ir import Graph, Node
from tinycnn.ops.scale_shift import ScaleShift
from tinycnn.passes.affine import Affine
from tinycnn.passes.fold_scale import affine_of, is_per_channel, operands
from tinycnn.passes.rewriter import Rewriter


def recognise_scale_shift(graph: Graph) -> Graph:
    """Two or more operations by constants per channel, one after the other, are one multiply-add per channel.

    Before, with x: float32[1x3x8x8]
        constant s: float32[scalar]
        constant b: float32[3x1x1]
        a = Mul(x, s)
        y = Add(a, b)
    After
        y = ScaleShift(x, y.scale, y.shift)

    If nothing else reads `a`. Needs shapes: runs after `bind`. Numerics: rounding.
    """
    edit = Rewriter(graph)
    for node in edit:
        last = step(edit, node)
        before = edit.sole(last[0]) if last else None
        first = step(edit, before) if before is not None else None
        if last is None or before is None or first is None:
            edit.keep(node)
            continue
        (_, outer), (x, inner) = last, first
        both = Affine(outer.scale * inner.scale, outer.scale * inner.shift + outer.shift)
        if not both.is_finite:
            edit.keep(node)
            continue
        channels = edit.specs[node.outputs[0]].dims[1]
        names = [
            edit.add(f"{node.outputs[0]}.{name}", np.broadcast_to(value, channels).astype(np.float32))
            for name, value in (("scale", both.scale), ("shift", both.shift))
        ]
        edit.replace(node, ScaleShift(), (x, *names), before)
        edit.log(node, "merged", f"with {before.kind} {before.name!r}")
    return edit.finish()


def step(edit: Rewriter, node: Node) -> tuple[str, Affine] | None:
    """The input of a node that multiplies and adds per channel, and what it does to it."""
    y = edit.specs.get(node.outputs[0])
    if y is None or y.rank < 2 or y.dtype != np.float32:
        return None
    if isinstance(node.op, ScaleShift) and node.op.activation is None:
        scale, shift = map(edit.constant, node.inputs[1:])
        if scale is None or shift is None:
            return None
        return node.inputs[0], Affine(scale.astype(np.float64), shift.astype(np.float64))
    found = operands(edit, node)
    if found is None or edit.specs.get(edit.name(found[0])) != y or not is_per_channel(found[1], y.rank, y.dims[1]):
        return None
    return found[0], affine_of(node, *found)
