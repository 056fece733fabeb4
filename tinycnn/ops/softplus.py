"""Softplus: a smooth Relu."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Softplus(_Elementwise):
    """log(1 + e^x).  Source: ONNX Softplus, opset 22."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("softplus")
