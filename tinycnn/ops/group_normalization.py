"""GroupNormalization: groups of channels of each sample standardised by themselves."""

from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.normalization import _Normalization, per_channel, standardized
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.shapes import expect, same_dtype, written


@dataclass(frozen=True)
class GroupNormalization(_Normalization):
    """scale (x - mean) / sqrt(variance + epsilon) + b, the statistics over c / num_groups channels each.

    Inputs
        x         [n, c, ...]
        scale, b  [c]
    Output
        y         as x

    Raises ShapeError when c is no multiple of num_groups. stash_type is of no account: statistics are in float64.

    Source: ONNX GroupNormalization, opset 21; Wu and He, arXiv:1803.08494.
    """

    num_groups: int = 1
    stash_type: int = 1

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, scale, b = self.operands(inputs)
        same_dtype(self.kind, x, scale, b)
        if x.rank < 2 or 0 in x.dims[1:] or self.num_groups < 1 or x.dims[1] % self.num_groups:
            raise ShapeError(f"GroupNormalization: {written(x.dims)} has no channels for {self.num_groups} groups")
        expect(self.kind, "scale", scale, x.dims[1:2])
        expect(self.kind, "b", b, x.dims[1:2])
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, scale, b = self.required(inputs)
        groups = x.reshape(x.shape[0], self.num_groups, x.shape[1] // self.num_groups, *x.shape[2:])
        y = standardized(groups, tuple(range(2, groups.ndim)), self.epsilon).reshape(x.shape)
        return (finish(y * per_channel(scale, x.ndim) + per_channel(b, x.ndim), x.dtype),)
