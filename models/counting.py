"""What a network costs, counted from its graph."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import Graph, TensorSpec
from tinycnn.ops import Op

# Of operators with other constants, how many inputs may be learned: the rest are settings or statistics.
LEARNED = {"BatchNormalization": 3, "Clip": 1, "Dropout": 1, "Pad": 1, "Resize": 1}


@dataclass(frozen=True)
class Counts:
    """layers: the most operators with multiply-adds on one way from input to output, which is what authors count;
    parameters: numbers that training finds; macs: multiply-adds of one inference."""

    layers: int
    parameters: int
    macs: int


def count(graph: Graph, without: Collection[str] = ()) -> Counts:
    """Counts of a graph as it was written or imported, for an input whose symbolic sizes are 1.

    Parameters are the elements of float constants that have an axis: scalars are settings, integers are indices and
    codes, the means and variances of batch normalisations are statistics. Multiply-adds are those of convolutions and
    matrix products, without the biases.

    without  kinds of operators that some authors leave out, as ONNX spells them

    Raises ShapeError when the graph contradicts itself, or computes shapes (`tinycnn.passes.bind` makes them known).
    """
    specs = {
        name: spec.with_shape([d if isinstance(d, int) else 1 for d in spec.shape or ()])
        for name, spec in graph.inputs.items()
    }
    specs |= {name: TensorSpec.of(array) for name, array in graph.constants.items()}
    depth = dict.fromkeys(specs, 0)
    learned: set[str] = set()
    macs = 0
    for node in graph.nodes:
        op = node.op
        assert isinstance(op, Op)
        for name in node.inputs:
            if name and name not in specs:
                raise ShapeError(f"{node.kind} {node.name!r}: the shape of {name!r} is computed; bind the graph first")
        read = [specs[name] if name else None for name in node.inputs]
        written = op.infer(read, [graph.constant(name) for name in node.inputs]) or ()
        specs.update(zip(node.outputs, written, strict=False))
        cost = 0 if op.kind in without else op.macs(read, written)
        deepest = max((depth[name] for name in node.inputs if name), default=0) + (cost > 0)
        depth.update(dict.fromkeys(node.outputs, deepest))
        macs += cost
        if op.kind not in without:
            learned.update(node.inputs[: LEARNED.get(op.kind)])
    weights = [graph.constants[name] for name in learned if name in graph.constants]
    parameters = sum(w.size for w in weights if w.ndim and np.issubdtype(w.dtype, np.floating))
    return Counts(max(depth[name] for name in graph.outputs), parameters, macs)
