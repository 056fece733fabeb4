"""Erf: the error function."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


@dataclass(frozen=True)
class Erf(_Elementwise):
    """erf(x).  Source: ONNX Erf, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("erf")
