"""FakeQuantize: floats rounded to what small integers can hold."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.quantization import _Quantization, quantize


@dataclass(frozen=True)
class FakeQuantize(_Quantization):
    """(q - zero_point) * scale with q = round(x / scale) + zero_point, halves to even, kept in [qmin, qmax].

    Inputs
        x           floats, any shape
        scale       float; shapes: see the base
        zero_point  integers, optional: 0
    Output
        y           as x

    Source: not in ONNX; QuantizeLinear followed by DequantizeLinear.
    """

    dtypes: ClassVar[str] = "f"

    qmin: int = -128
    qmax: int = 127

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, _, _ = self.quantized(inputs)
        if self.qmin >= self.qmax:
            raise ShapeError(f"FakeQuantize: there is nothing between qmin = {self.qmin} and qmax = {self.qmax}")
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, scale = self.required(inputs)
        (zero_point,) = self.optional(inputs)
        zero = 0 if zero_point is None else self.spread(zero_point, x.shape)
        spread = self.spread(scale, x.shape)
        return (finish((quantize(x, spread, zero, self.qmin, self.qmax) - zero) * spread, x.dtype),)
