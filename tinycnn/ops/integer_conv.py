"""IntegerConv: a convolution of quantised tensors, held as floats, that is quantised again."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.conv import Conv
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.quantization import check_requantizing, requantized


@dataclass(frozen=True)
class IntegerConv(Conv):
    """scale * quantize(factor * (x * w + b)): what QLinearConv computes, less the zero points.

    Inputs
        x       [n, ci, *spatial], float32 that are integers in [low, low + 255]
        w       [co, ci / group, *kernel], float32 that are integers in [-128, 127]
        b       [co], optional: float32 that are integers
        factor  [] or [1], or [co, 1, ...] of the output's spatial axes: float32
    Output
        y       [n, co, *out], as Conv's

    low <= 0, since padding is zeros. The activation is quantize(lo, hi), limits of what is quantised. The sum is exact
    if it is below 2**31 in magnitude; it is rounded to float32 before it is multiplied, the product before it is
    rounded to an integer, halves to even.

    Source: not in ONNX; QLinearConv, opset 10, between integers and floats.
    """

    low: int = -128
    scale: float = 1.0

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        found = super().infer(inputs[:3], values[:3])
        factor = inputs[3] if len(inputs) > 3 else None
        check_requantizing(self.kind, self.activation, factor, found[0].dims[1] if found else None)
        return found

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, w, b, factor = inputs
        (total,) = Conv(self.strides, self.pads, self.dilations, self.group, self.auto_pad).reference(x, w, b)
        assert factor is not None and self.activation is not None
        if factor.size > 1:
            factor = factor.reshape(-1, *[1] * (total.ndim - 2))
        return (requantized(total, factor, self.activation, self.scale),)
