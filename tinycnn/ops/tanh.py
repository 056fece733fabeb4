"""Tanh: the hyperbolic tangent."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


@dataclass(frozen=True)
class Tanh(_Elementwise):
    """tanh(x).  Source: ONNX Tanh, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("tanh")
