"""Keeps quantised activations in floats: what matters of quantisation is the rounding."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ir import Graph, Node
from tinycnn.ops.concat import Concat
from tinycnn.ops.dequantize_linear import DequantizeLinear
from tinycnn.ops.fake_quantize import FakeQuantize
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.identity import Identity
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.quantize_linear import QuantizeLinear
from tinycnn.ops.reshape import Reshape
from tinycnn.ops.slice import Slice
from tinycnn.ops.split import Split
from tinycnn.ops.squeeze import Squeeze
from tinycnn.ops.transpose import Transpose
from tinycnn.ops.unsqueeze import Unsqueeze
from tinycnn.passes.rewriter import Rewriter

# Operators that choose among the elements of their first input: they commute with any increasing function.
MOVES = Reshape | Flatten | Squeeze | Unsqueeze | Transpose | Slice | Split | MaxPool | Identity


@dataclass(frozen=True)
class Grid:
    """The values that a quantised tensor can have: (q - zero_point) * scale, q an integer between the limits.

    axis  along which scale and zero point, both as bytes, vary; None: one for the whole tensor
    """

    scale: bytes
    zero_point: bytes
    limits: tuple[int, int]
    axis: int | None
    block_size: int


def fake_quantize(graph: Graph) -> Graph:
    """A QuantizeLinear whose output is dequantised with the same parameters becomes one FakeQuantize of floats.

    Before
        q = QuantizeLinear(x, s, z)
        p = Reshape(q, shape)
        y = DequantizeLinear(p, s, z)
    After
        f = FakeQuantize(x, s, z)
        y = Reshape(f, shape)

    Parameters are constants. Between the two may stand Reshape, Flatten, Squeeze, Unsqueeze, Transpose, Slice, Split,
    MaxPool and Concat, if there is one scale for the whole tensor. Quantising again by the same parameters changes
    nothing and disappears. Numerics: exact.
    """
    edit = Rewriter(graph)
    grids: dict[str, Grid] = {}  # of quantised values, and of the floats that they stand for
    floats: dict[str, str] = {}  # quantised value -> the float that it stands for
    for node in edit:
        x = node.inputs[0] if node.inputs else ""
        if isinstance(node.op, DequantizeLinear) and x in floats and grid_of(edit, node, grids[x].limits) == grids[x]:
            edit.log(node, "fused", "into FakeQuantize")
            edit.bypass(node, floats[x])
            continue
        edit.keep(node)
        if isinstance(node.op, QuantizeLinear):
            quantize(edit, node, grids, floats)
        elif (data := moved(node)) and all(grids.get(name) == grids.get(data[0]) and name in floats for name in data):
            if grids[data[0]].axis is None:
                move(edit, node, data, grids, floats)
    return edit.finish()


def grid_of(edit: Rewriter, node: Node, limits: tuple[int, int]) -> Grid | None:
    """The grid of a QuantizeLinear or DequantizeLinear with constant parameters."""
    assert isinstance(node.op, QuantizeLinear | DequantizeLinear)
    scale, zero = (edit.constant(name) for name in (*node.inputs, "")[1:3])
    if scale is None or (zero is None and any(node.inputs[2:])):
        return None
    zero = np.zeros(scale.size, np.int64) if zero is None else zero.astype(np.int64)
    axis = None if scale.size == 1 and not node.op.block_size else node.op.axis
    return Grid(scale.astype(np.float64).tobytes(), zero.tobytes(), limits, axis, node.op.block_size)


def quantize(edit: Rewriter, node: Node, grids: dict[str, Grid], floats: dict[str, str]) -> None:
    """Writes the float twin of a QuantizeLinear."""
    assert isinstance(node.op, QuantizeLinear)
    zero = edit.constant((*node.inputs, "")[2])
    range_ = np.iinfo(node.op.dtype(None if zero is None else zero.dtype))
    limits = int(range_.min), int(range_.max)
    grid, (x, q) = grid_of(edit, node, limits), (node.inputs[0], node.outputs[0])
    if grid is None:
        return
    if grids.get(x) != grid:
        op = FakeQuantize(node.op.axis, node.op.block_size, *limits)
        x = edit.value(f"{q}.dequantized", edit.specs.get(x))
        edit.write(Node(op, node.inputs, (x,), node.name))
    grids[q] = grids[x] = grid
    floats[q] = x


def moved(node: Node) -> tuple[str, ...]:
    """The inputs of which a node only chooses elements."""
    if isinstance(node.op, Concat):
        return node.inputs
    return node.inputs[:1] if isinstance(node.op, MOVES) and not getattr(node.op, "indices", False) else ()


def move(edit: Rewriter, node: Node, data: tuple[str, ...], grids: dict[str, Grid], floats: dict[str, str]) -> None:
    """Writes the float twin of a node that moves quantised values."""
    grid = grids[data[0]]
    outputs = tuple(edit.value(f"{q}.dequantized", None) if q else "" for q in node.outputs)
    inputs = (*(floats[name] for name in data), *node.inputs[len(data) :])
    edit.write(Node(node.op, inputs, outputs, node.name))
    for q, x in zip(node.outputs, outputs, strict=True):
        if q:
            grids[q] = grids[x] = grid
            floats[q] = x
