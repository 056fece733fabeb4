"""Sigmoid: the logistic function."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


@dataclass(frozen=True)
class Sigmoid(_Elementwise):
    """1 / (1 + e^-x).  Source: ONNX Sigmoid, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("sigmoid")
