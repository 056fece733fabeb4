"""InstanceNormalization: each channel of each sample standardised by itself."""

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.normalization import _Normalization, per_channel, standardized
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.shapes import expect, same_dtype, written


class InstanceNormalization(_Normalization):
    """scale (x - mean) / sqrt(variance + epsilon) + b, the statistics over the spatial axes.

    Inputs
        x         [n, c, *spatial]
        scale, b  [c]
    Output
        y         as x

    Source: ONNX InstanceNormalization, opset 22; Ulyanov et al., arXiv:1607.08022.
    """

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, scale, b = self.operands(inputs)
        same_dtype(self.kind, x, scale, b)
        if x.rank < 3 or 0 in x.dims[2:]:
            raise ShapeError(f"InstanceNormalization needs an input [n, c, ...] with elements, not {written(x.dims)}")
        expect(self.kind, "scale", scale, x.dims[1:2])
        expect(self.kind, "b", b, x.dims[1:2])
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, scale, b = self.required(inputs)
        y = standardized(x, tuple(range(2, x.ndim)), self.epsilon)
        return (finish(y * per_channel(scale, x.ndim) + per_channel(b, x.ndim), x.dtype),)
