"""Relu: max(x, 0)."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Relu(_Elementwise):
    """max(x, 0), of floats and signed integers; NaN propagates.  Source: ONNX Relu, opset 14."""

    dtypes: ClassVar[str] = "fi"

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("clamp", 0.0, float("inf"))

    def apply(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0)
