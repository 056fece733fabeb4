"""Reciprocal: one over x."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Reciprocal(_Elementwise):
    """1 / x.  Source: ONNX Reciprocal, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("reciprocal")
