"""InstanceNormalization, GroupNormalization and LayerNormalization as rows, whatever platform computes them."""

import math

import numpy as np

from tinycnn.kernels.lowering import Request

KINDS = ("InstanceNormalization", "GroupNormalization", "LayerNormalization")


def rows(r: Request, x: tuple[int, ...]) -> dict[str, int]:
    """x [*x] as [rows, channels, pixels], each row normalised; row i has scale and bias [i % period, channels]."""
    if r.node.kind == "LayerNormalization":
        axis = r.op.axis % len(x)
        return {"rows": math.prod(x[:axis]), "period": 1, "channels": math.prod(x[axis:]), "pixels": 1}
    n, c, *spatial = x
    g = c if r.node.kind == "InstanceNormalization" else r.op.num_groups
    return {"rows": n * g, "period": g, "channels": c // g, "pixels": math.prod(spatial)}


def parameters(r: Request, x: tuple[int, ...], length: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Scale and bias, of one shape, a number for each of `length`; None where they are no constants or vary between
    rows."""
    shape = x[r.op.axis % len(x) :] if r.node.kind == "LayerNormalization" else (length,)
    scale, bias = r.values[1], (*r.values, None)[2]
    if scale is None or (bias is None and len(r.inputs) > 2 and r.inputs[2] is not None):
        return None
    arrays = [scale, np.zeros(1, np.float32) if bias is None else bias]
    surplus = [a.shape[: max(0, a.ndim - len(shape))] for a in arrays]
    if any(set(each) - {1} for each in surplus):
        return None
    flat = [a.reshape(a.shape[len(each) :]).astype(np.float32) for a, each in zip(arrays, surplus, strict=True)]
    factors, shifts = (np.ascontiguousarray(np.broadcast_to(a, shape)) for a in flat)
    return factors, shifts
