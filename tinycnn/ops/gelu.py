"""Gelu: x times the normal distribution function of x."""

from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation, _Elementwise
from tinycnn.ops.op import Specs, Values

FUNCTION = {"none": "gelu", "tanh": "gelu_tanh"}


@dataclass(frozen=True)
class Gelu(_Elementwise):
    """x (1 + erf(x / sqrt 2)) / 2, or with approximate="tanh" x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.

    Source: ONNX Gelu, opset 20; Hendrycks and Gimpel, arXiv:1606.08415.
    """

    approximate: str = "none"

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        if self.approximate not in FUNCTION:
            raise ShapeError(f"Gelu: approximate must be one of {', '.join(FUNCTION)}, not {self.approximate!r}")
        return super().infer(inputs, values)

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation(FUNCTION[self.approximate])
