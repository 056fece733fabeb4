"""Sqrt: the square root."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


@dataclass(frozen=True)
class Sqrt(_Elementwise):
    """sqrt(x); NaN below zero.  Source: ONNX Sqrt, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("sqrt")
