"""DequantizeLinear: small integers to floats."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.dtypes import numbered_dtype
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.quantization import _Quantization
from tinycnn.ops.shapes import same_dtype


@dataclass(frozen=True)
class DequantizeLinear(_Quantization):
    """(x - zero_point) * scale.

    Inputs
        x           integers, any shape
        scale       float; shapes: see the base
        zero_point  as x, optional: 0
    Output
        y           as x, in the dtype of scale, or of output_dtype if that is not 0

    Source: ONNX DequantizeLinear, opset 28.
    """

    dtypes: ClassVar[str] = "iu"

    output_dtype: int = 0

    def dtype(self, scale: np.dtype) -> np.dtype:
        """The dtype of the output."""
        dtype = numbered_dtype(self.kind, "output_dtype", self.output_dtype) if self.output_dtype else scale
        if dtype.kind != "f":
            raise ShapeError(f"DequantizeLinear: to {dtype.name} is not defined")
        return dtype

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, scale, zero_point = self.quantized(inputs)
        same_dtype(self.kind, x, zero_point)
        return (TensorSpec(x.shape, self.dtype(scale.dtype)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, scale = self.required(inputs)
        (zero_point,) = self.optional(inputs)
        zero = 0 if zero_point is None else self.spread(zero_point, x.shape)
        y = (x.astype(np.float64) - zero) * self.spread(scale, x.shape)
        return (finish(y, self.dtype(scale.dtype)),)
