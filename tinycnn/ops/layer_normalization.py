"""LayerNormalization: the trailing axes standardised together."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.normalization import _Normalization, standardized
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.shapes import broadcast_to, positive_axis, written


@dataclass(frozen=True)
class LayerNormalization(_Normalization):
    """scale (x - mean) / sqrt(variance + epsilon) + b, the statistics over the axes from `axis` on.

    Inputs
        x      any shape
        scale  broadcasts to x
        b      broadcasts to x, optional
    Output
        y      as x; the outputs Mean and InvStdDev of ONNX do not exist here

    stash_type is of no account: statistics are in float64.

    Source: ONNX LayerNormalization, opset 17; Ba et al., arXiv:1607.06450.
    """

    arity: ClassVar[tuple[int, int]] = (2, 3)

    axis: int = -1
    stash_type: int = 1

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, scale = self.operands(inputs)
        (b,) = self.optional(inputs)
        if 0 in x.dims[positive_axis(self.kind, self.axis, x.rank) :]:
            raise ShapeError(f"LayerNormalization: there is nothing to normalise in {written(x.dims)}")
        broadcast_to(self.kind, "scale", scale.dims, x.dims)
        if b is not None:
            broadcast_to(self.kind, "b", b.dims, x.dims)
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, scale = self.required(inputs)
        (b,) = self.optional(inputs)
        axes = tuple(range(positive_axis(self.kind, self.axis, x.ndim), x.ndim))
        y = standardized(x, axes, self.epsilon) * scale
        return (finish(y if b is None else y + b, x.dtype),)
