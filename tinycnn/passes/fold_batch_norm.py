"""Batch normalisation at inference is one multiply-add per channel: folds it into the weights beside it."""

import numpy as np

from tinycnn.ir import Graph, Node
from tinycnn.ops.batch_normalization import BatchNormalization
from tinycnn.ops.scale_shift import ScaleShift
from tinycnn.passes.absorb_after import source
from tinycnn.passes.absorb_before import absorb_before
from tinycnn.passes.affine import Affine
from tinycnn.passes.rewriter import Rewriter


def fold_batch_norm(graph: Graph) -> Graph:
    """A batch normalisation disappears in the linear operator before it, or after it, or becomes a ScaleShift.

    Before
        a = Conv(x, w)
        y = BatchNormalization(a, gamma, beta, mean, var)
    After
        y = Conv(x, w', b')      w' = w s, b' = beta - mean s, s = gamma / sqrt(var + epsilon)

    Into Conv, ConvTranspose, Gemm and ScaleShift with constant weights before it, if nothing else reads `a`; also
    through Resize, AveragePool and Concat, of which then every input comes from one. Otherwise into a Conv,
    ConvTranspose or Gemm after it that alone reads `y`, where that is exact: where no padding, which is not shifted,
    stands beside shifted values. Numerics: rounding; factors are computed in float64.

    Source: Jacob et al., arXiv:1712.05877, section 3.2.
    """
    edit = Rewriter(graph)
    for node in edit:
        if not fold_into_producer(edit, node) and not fold_into_consumer(edit, node):
            edit.keep(node)
    return edit.finish()


def fold_into_producer(edit: Rewriter, node: Node) -> bool:
    affine = affine_of(edit, node)
    if affine is None or not affine.is_finite:
        return False
    before = source(edit, node.inputs[0])
    if before is not None and before.absorb(edit, affine):
        edit.log(node, "folded", f"into {before}")
        edit.bypass(node, node.inputs[0], takes_name=True)
    elif len(affine.scale) == 1 and edit.rank(node.inputs[0]) in (None, 1):
        return False  # a vector has one channel, but no axis for it
    else:
        scale, shift = affine.scale.astype(np.float32), affine.shift.astype(np.float32)
        names = edit.add(f"{node.outputs[0]}.scale", scale), edit.add(f"{node.outputs[0]}.shift", shift)
        edit.replace(node, ScaleShift(), (node.inputs[0], *names))
        edit.log(node, "left", "as one multiply-add per channel")
    return True


def fold_into_consumer(edit: Rewriter, node: Node) -> bool:
    before = edit.sole(node.inputs[0]) if any(node.inputs) else None
    if before is None or not isinstance(before.op, ScaleShift) or before.op.activation is not None:
        return False
    scale, shift = map(edit.constant, before.inputs[1:3])
    if scale is None or shift is None:
        return False
    absorbed = absorb_before(edit, node, Affine(scale.astype(np.float64), shift.astype(np.float64)))
    if absorbed is None:
        return False
    op, (_, *weights) = absorbed
    edit.replace(node, op, (before.inputs[0], *weights), before)
    edit.log(before, "folded", f"into {node.kind} {node.name!r}")
    return True


def affine_of(edit: Rewriter, node: Node) -> Affine | None:
    """What a batch normalisation with constant statistics computes."""
    if not isinstance(node.op, BatchNormalization):
        return None
    parameters = [edit.constant(name) for name in node.inputs[1:5]]
    if len(parameters) < 4 or any(p is None or p.ndim != 1 for p in parameters):
        return None
    gamma, beta, mean, var = (p.astype(np.float64) for p in parameters if p is not None)
    if not len(gamma) == len(beta) == len(mean) == len(var) > 0:
        return None
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(var + node.op.epsilon)
        return Affine(scale, beta - mean * scale)
