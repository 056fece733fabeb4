"""Sqrt: the square root."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Sqrt(_Elementwise):
    """sqrt(x); NaN below zero.  Source: ONNX Sqrt, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("sqrt")
