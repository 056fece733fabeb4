"""Celu: continuously differentiable exponential linear unit."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


@dataclass(frozen=True)
class Celu(_Elementwise):
    """alpha (e^(x / alpha) - 1) for x < 0, else x.  Source: ONNX Celu, opset 12; Barron, arXiv:1704.07483."""

    alpha: float = 1.0

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("celu", self.alpha)
