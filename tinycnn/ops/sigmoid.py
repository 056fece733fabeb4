"""Sigmoid: the logistic function."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Sigmoid(_Elementwise):
    """1 / (1 + e^-x).  Source: ONNX Sigmoid, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("sigmoid")
