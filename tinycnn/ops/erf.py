"""Erf: the error function."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Erf(_Elementwise):
    """erf(x).  Source: ONNX Erf, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("erf")
