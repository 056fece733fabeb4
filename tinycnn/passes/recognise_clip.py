"""Brings clamps into one form."""

import numpy as np

from tinycnn.ir import Graph, Node
from tinycnn.ops.clip import Clip
from tinycnn.ops.max import Max
from tinycnn.ops.min import Min
from tinycnn.ops.relu import Relu
from tinycnn.passes.rewriter import Rewriter


def recognise_clip(graph: Graph) -> Graph:
    """Max and Min with a scalar, and one clamp after another, are one Clip.

    Before
        a = Relu(x)
        y = Min(a, six)
    After
        y = Clip(x, zero, six)

    If nothing else reads `a`. Numerics: exact.
    """
    edit = Rewriter(graph)
    for node in edit:
        bounds = bounds_of(edit, node)
        if bounds is None:
            edit.keep(node)
            continue
        x, low, high = bounds
        before = edit.sole(x)
        inner = bounds_of(edit, before) if before is not None else None
        if before is not None and inner is not None:
            # clip(clip(x, a, b), c, d) = clip(x, clip(a, c, d), clip(b, c, d)) for a <= b and c <= d
            x, a, b = inner
            low, high = np.clip(a, low, high), np.clip(b, low, high)
            write(edit, node, x, low, high, before)
        elif isinstance(node.op, Max | Min):
            write(edit, node, x, low, high)
        else:
            edit.keep(node)
    return edit.finish()


def bounds_of(edit: Rewriter, node: Node) -> tuple[str, np.float64, np.float64] | None:
    """The value that a node clamps, and between what; None for other nodes and empty ranges."""
    infinity = np.float64(np.inf)
    match node.op:
        case Relu():
            return node.inputs[0], np.float64(0), infinity
        case Max(activation=None) | Min(activation=None) if len(node.inputs) == 2:
            scalars = [scalar(edit, name) for name in node.inputs]
            if (scalars[0] is None) == (scalars[1] is None):
                return None
            bound = next(s for s in scalars if s is not None)
            x = node.inputs[scalars.index(None)]
            return (x, bound, infinity) if isinstance(node.op, Max) else (x, -infinity, bound)
        case Clip() if all(not name or scalar(edit, name) is not None for name in node.inputs[1:]):
            low, high = (scalar(edit, name) for name in (*node.inputs, "", "")[1:3])
            low, high = -infinity if low is None else low, infinity if high is None else high
            return (node.inputs[0], low, high) if low <= high else None
    return None


def scalar(edit: Rewriter, name: str) -> np.float64 | None:
    """The value of a float constant of rank 0."""
    constant = edit.constant(name)
    return np.float64(constant) if constant is not None and constant.dtype == np.float32 and not constant.ndim else None


def write(edit: Rewriter, node: Node, x: str, low: np.float64, high: np.float64, *before: Node) -> None:
    names = [
        edit.add(f"{node.outputs[0]}.{name}", np.array(bound, np.float32)) if np.isfinite(bound) else ""
        for name, bound in (("min", low), ("max", high))
    ]
    edit.replace(node, Clip(), (x, *names) if names[1] else (x, *names[:1]), *before)
    edit.log(node, "recognised", "as Clip")
