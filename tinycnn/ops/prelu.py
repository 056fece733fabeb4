"""PRelu: x below zero times a learned slope."""

from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation, _Elementwise, finish
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.shapes import broadcast_to, same_dtype


class PRelu(_Elementwise):
    """slope x for x < 0, else x.

    Inputs
        x      floats or integers of any shape
        slope  broadcasts to x, often [c, 1, 1]

    Source: ONNX PRelu, opset 16.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)
    dtypes: ClassVar[str] = "fiu"

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, slope = self.operands(inputs)
        same_dtype(self.kind, x, slope)
        broadcast_to(self.kind, "slope", slope.dims, x.dims)
        return (x,)

    def activation(self, *parameters: np.ndarray | None) -> Activation | None:
        slope = parameters[0] if parameters else None
        return Activation("leaky_relu", float(slope.item())) if slope is not None and slope.size == 1 else None

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, slope = self.required(inputs)
        if x.dtype.kind == "f":
            wide = x.astype(np.float64)
            return (finish(np.where(wide < 0, wide * slope, wide), x.dtype),)
        return (np.where(x < 0, x * slope, x),)
