"""LeakyRelu: x below zero times a slope."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


@dataclass(frozen=True)
class LeakyRelu(_Elementwise):
    """alpha x for x < 0, else x.  Source: ONNX LeakyRelu, opset 16."""

    alpha: float = 0.01

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("leaky_relu", self.alpha)
