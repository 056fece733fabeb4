"""Elu: exponential linear unit."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


@dataclass(frozen=True)
class Elu(_Elementwise):
    """alpha (e^x - 1) for x < 0, else x.  Source: ONNX Elu, opset 22; Clevert et al., arXiv:1511.07289."""

    alpha: float = 1.0

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("elu", self.alpha)
