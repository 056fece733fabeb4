"""Mish: x times the hyperbolic tangent of softplus."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Mish(_Elementwise):
    """x tanh(log(1 + e^x)).  Source: ONNX Mish, opset 22; Misra, arXiv:1908.08681."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("mish")
