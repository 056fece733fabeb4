"""Rewrites of graphs. A pass takes a graph and returns one that means the same; each file shows its own."""

from collections.abc import Callable, Iterable

from tinycnn.ir import Graph, verify
from tinycnn.passes.fold_batch_norm import fold_batch_norm
from tinycnn.passes.fold_constants import fold_constants
from tinycnn.passes.fuse_activation import fuse_activation
from tinycnn.passes.fuse_residual import fuse_residual

Pass = Callable[[Graph], Graph]

# Once per model, whatever its shapes: weights change only here.
LOAD: tuple[Pass, ...] = (
    fold_constants,
    fold_batch_norm,
    fuse_activation,
)

# Once per set of input shapes, after `bind`.
BIND: tuple[Pass, ...] = (
    fuse_activation,
    fuse_residual,
)


def run(graph: Graph, pipeline: Iterable[Pass]) -> Graph:
    """The graph after all passes, in order.

    Raises GraphError naming the pass that broke an invariant of the graph.
    """
    for rewrite in pipeline:
        result = rewrite(graph)
        if result is not graph:
            graph = verify(result, rewrite.__name__)
    return graph
