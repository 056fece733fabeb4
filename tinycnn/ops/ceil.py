"""Ceil: the next integer above."""

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Ceil(_Elementwise):
    """The least integer that is not below x.  Source: ONNX Ceil, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("ceil")
