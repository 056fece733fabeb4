"""HardSigmoid: a sigmoid of three straight pieces."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


@dataclass(frozen=True)
class HardSigmoid(_Elementwise):
    """alpha x + beta, clamped to [0, 1].  Source: ONNX HardSigmoid, opset 22."""

    alpha: float = 0.2
    beta: float = 0.5

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("hard_sigmoid", self.alpha, self.beta)
