"""Round: the nearest integer."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Round(_Elementwise):
    """The nearest integer, the even one of two.  Source: ONNX Round, opset 22."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("round")
