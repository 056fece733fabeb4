"""Exp: the exponential function."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Exp(_Elementwise):
    """e^x.  Source: ONNX Exp, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("exp")
