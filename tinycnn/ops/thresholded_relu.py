"""ThresholdedRelu: x above a threshold, else 0."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


@dataclass(frozen=True)
class ThresholdedRelu(_Elementwise):
    """x for x > alpha, else 0.  Source: ONNX ThresholdedRelu, opset 22."""

    alpha: float = 1.0

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("thresholded_relu", self.alpha)
