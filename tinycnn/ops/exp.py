"""Exp: the exponential function."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


@dataclass(frozen=True)
class Exp(_Elementwise):
    """e^x.  Source: ONNX Exp, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("exp")
