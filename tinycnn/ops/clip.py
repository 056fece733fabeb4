"""Clip: values kept between two bounds."""

from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation, _Elementwise
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.shapes import expect, same_dtype


class Clip(_Elementwise):
    """min(max(x, low), high): where low > high, all become high.

    Inputs
        x     floats or integers of any shape
        low   scalar of the same dtype, optional: no bound
        high  scalar of the same dtype, optional: no bound

    Source: ONNX Clip, opset 13.
    """

    arity: ClassVar[tuple[int, int]] = (1, 3)
    dtypes: ClassVar[str] = "fiu"

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        low, high = self.optional(inputs)
        for name, bound in (("min", low), ("max", high)):
            if bound is not None and bound.dims != (1,):
                expect(self.kind, name, bound, ())
        same_dtype(self.kind, x, low, high)
        return super().infer(inputs, values)

    def activation(self, *parameters: np.ndarray | None) -> Activation | None:
        low, high = (*parameters, None, None)[:2]
        if any(bound is not None and bound.size != 1 for bound in (low, high)):
            return None
        return Activation(
            "clamp",
            -float("inf") if low is None else float(low.item()),
            float("inf") if high is None else float(high.item()),
        )

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (y,) = self.required(inputs)
        low, high = self.optional(inputs)
        y = y if low is None else np.maximum(y, low.reshape(()))
        return (np.asarray(y if high is None else np.minimum(y, high.reshape(()))),)
