"""Log: the natural logarithm."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Log(_Elementwise):
    """log(x); NaN below zero, -inf at zero.  Source: ONNX Log, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("log")
