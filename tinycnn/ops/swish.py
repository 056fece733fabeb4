"""Swish: x times the logistic function of x, also known as SiLU."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


@dataclass(frozen=True)
class Swish(_Elementwise):
    """x / (1 + e^(-alpha x)).  Source: ONNX Swish, opset 24; Ramachandran et al., arXiv:1710.05941."""

    alpha: float = 1.0

    def activation(self, *parameters: np.ndarray | None) -> Activation | None:
        return Activation("swish") if self.alpha == 1 else None

    def apply(self, x: np.ndarray) -> np.ndarray:
        return x * Activation("sigmoid").apply(self.alpha * x)
