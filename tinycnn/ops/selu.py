"""Selu: scaled exponential linear unit."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


@dataclass(frozen=True)
class Selu(_Elementwise):
    """gamma alpha (e^x - 1) for x <= 0, else gamma x.

    Source: ONNX Selu, opset 22; Klambauer et al., arXiv:1706.02515.
    """

    alpha: float = 1.67326319217681884765625
    gamma: float = 1.05070102214813232421875

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("selu", self.alpha, self.gamma)
