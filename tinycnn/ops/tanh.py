"""Tanh: the hyperbolic tangent."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Tanh(_Elementwise):
    """tanh(x).  Source: ONNX Tanh, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("tanh")
