"""Runs a graph node by node through the operators' NumPy references: the oracle of whatever rewrites graphs."""

from collections.abc import Mapping

import numpy as np

from tinycnn.ir import Graph


def evaluate(graph: Graph, feeds: Mapping[str, np.ndarray], wide: bool = False) -> dict[str, np.ndarray]:
    """Every value of the graph by name, intermediate ones included.

    wide  computes in float64 throughout, so that two graphs can be compared without the rounding of each node
    """
    values = {name: np.asarray(array) for name, array in (*graph.constants.items(), *feeds.items())}
    if wide:
        values = {name: a.astype(np.float64) if a.dtype == np.float32 else a for name, a in values.items()}
    for node in graph.nodes:
        results = node.op.reference(*(values[name] if name else None for name in node.inputs))
        values.update((name, np.asarray(y)) for name, y in zip(node.outputs, results, strict=False) if name)
    return values
