"""Rewrites of graphs. A pass takes a graph and returns one that means the same; each file shows its own."""

from collections.abc import Callable, Iterable

from tinycnn.ir import Graph, verify
from tinycnn.passes.cancel_transposes import cancel_transposes
from tinycnn.passes.convolve_products import convolve_products
from tinycnn.passes.drop_identity import drop_identity
from tinycnn.passes.drop_noops import drop_noops
from tinycnn.passes.fake_quantize import fake_quantize
from tinycnn.passes.fold_batch_norm import fold_batch_norm
from tinycnn.passes.fold_constants import fold_constants
from tinycnn.passes.fold_focus import fold_focus
from tinycnn.passes.fold_pad import fold_pad
from tinycnn.passes.fold_scale import fold_scale
from tinycnn.passes.fuse_activation import fuse_activation
from tinycnn.passes.fuse_expansion import fuse_expansion
from tinycnn.passes.fuse_residual import fuse_residual
from tinycnn.passes.keep_integers import keep_integers
from tinycnn.passes.merge_branches import merge_branches
from tinycnn.passes.merge_matmul_add import merge_matmul_add
from tinycnn.passes.merge_reshapes import merge_reshapes
from tinycnn.passes.multiply_bytes import multiply_bytes
from tinycnn.passes.recognise_clip import recognise_clip
from tinycnn.passes.recognise_gelu import recognise_gelu
from tinycnn.passes.recognise_global_pool import recognise_global_pool
from tinycnn.passes.recognise_scale_shift import recognise_scale_shift
from tinycnn.passes.recognise_shuffle import recognise_shuffle
from tinycnn.passes.recognise_swish import recognise_swish
from tinycnn.passes.shuffle_later import shuffle_later
from tinycnn.stages import stage

Pass = Callable[[Graph], Graph]

# Once per model, whatever its shapes: weights change only here.
LOAD: tuple[Pass, ...] = (
    drop_identity,
    fake_quantize,
    keep_integers,
    fold_constants,
    recognise_clip,
    recognise_swish,
    recognise_gelu,
    convolve_products,
    merge_matmul_add,
    fold_pad,
    fold_batch_norm,
    fold_scale,
    merge_branches,
    fold_focus,
    fuse_activation,
)

# Once per set of input shapes, after `bind`.
BIND: tuple[Pass, ...] = (
    drop_noops,
    cancel_transposes,
    recognise_shuffle,
    shuffle_later,
    recognise_global_pool,
    merge_reshapes,
    merge_matmul_add,
    recognise_scale_shift,
    fuse_activation,
    fuse_residual,
)

# After that, where every target has kernels for what comes of it.
BYTES: tuple[Pass, ...] = (multiply_bytes,)
EXPANSION: tuple[Pass, ...] = (fuse_expansion,)


@stage("optimise")
def run(graph: Graph, pipeline: Iterable[Pass]) -> Graph:
    """The graph after all passes, in order.

    Raises GraphError naming the pass that broke an invariant of the graph.
    """
    for rewrite in pipeline:
        result = rewrite(graph)
        if result is not graph:
            graph = verify(result, rewrite.__name__)
    return graph
