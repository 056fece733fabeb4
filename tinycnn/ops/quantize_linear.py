"""QuantizeLinear: floats to small integers."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.dtypes import numbered_dtype
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.quantization import _Quantization, quantize


@dataclass(frozen=True)
class QuantizeLinear(_Quantization):
    """round(x / scale) + zero_point, halves to even, kept inside the range of the output's dtype.

    Inputs
        x           floats or int32, any shape
        scale       float; shapes: see the base
        zero_point  uint8, int8, uint16 or int16, optional: 0
    Output
        y           as x, in the dtype of zero_point, or else of output_dtype (0: uint8)

    saturate concerns 8-bit floats, which are refused with ShapeError, as 4-bit integers and a `precision` are.

    Source: ONNX QuantizeLinear, opset 28.
    """

    dtypes: ClassVar[str] = "fi"

    output_dtype: int = 0
    precision: int = 0
    saturate: int = 1

    def dtype(self, zero_point: np.dtype | None) -> np.dtype:
        """The dtype of the output."""
        named = numbered_dtype(self.kind, "output_dtype", self.output_dtype) if self.output_dtype else None
        dtype = zero_point or named or np.dtype(np.uint8)
        if dtype.kind not in "iu" or dtype.itemsize > 2 or named not in (None, dtype):
            raise ShapeError(f"QuantizeLinear: to {dtype.name} (output_dtype {self.output_dtype}) is not supported")
        return dtype

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, _, zero_point = self.quantized(inputs)
        if self.precision:
            raise ShapeError(f"QuantizeLinear: precision {self.precision} is not supported")
        return (TensorSpec(x.shape, self.dtype(None if zero_point is None else zero_point.dtype)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, scale = self.required(inputs)
        (zero_point,) = self.optional(inputs)
        dtype = self.dtype(None if zero_point is None else zero_point.dtype)
        zero = 0 if zero_point is None else self.spread(zero_point, x.shape)
        limits = np.iinfo(dtype)
        return (np.asarray(quantize(x, self.spread(scale, x.shape), zero, limits.min, limits.max), dtype),)
