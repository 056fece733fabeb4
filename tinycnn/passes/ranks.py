"""How many axes values have, as far as that follows without shapes."""

from tinycnn.ir import Graph, Node
from tinycnn.ops.activation import _Elementwise
from tinycnn.ops.broadcast import _Arithmetic
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.reshape import Reshape

# Operators whose outputs have the rank of their first input.
SAME = frozenset(
    """
    AveragePool BatchNormalization Cast Concat DepthToSpace DequantizeLinear FakeQuantize GlobalAveragePool
    GlobalMaxPool GlobalLpPool GroupNormalization Identity InstanceNormalization LRN LogSoftmax LpPool MaxPool Pad
    QuantizeLinear Resize ScaleShift Slice Softmax SpaceToDepth Split Transpose Tile
    """.split()
)


def ranks(graph: Graph) -> dict[str, int]:
    """The ranks of the values for which they are certain."""
    known = {name: len(spec.shape) for name, spec in graph.inputs.items() if spec.shape is not None}
    known.update((name, array.ndim) for name, array in graph.constants.items())
    for node in graph.nodes:
        rank = rank_after(graph, node, known)
        if rank is not None:
            known.update((name, rank) for name in node.outputs if name)
    return known


def rank_after(graph: Graph, node: Node, known: dict[str, int]) -> int | None:
    match node.op:
        case Gemm() | Flatten():
            return 2
        case Reshape():
            shape = graph.constant(node.inputs[1])
            return None if shape is None else shape.size
        case _Arithmetic():
            inputs = [known.get(name) for name in node.inputs]
            return None if None in inputs else max(rank for rank in inputs if rank is not None)
        case _Elementwise():
            return known.get(node.inputs[0])
    if node.kind in ("Conv", "ConvTranspose"):
        return known.get(node.inputs[1])
    return known.get(node.inputs[0]) if node.kind in SAME else None
