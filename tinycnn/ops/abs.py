"""Abs: the absolute value."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Abs(_Elementwise):
    """|x|, of floats and integers.  Source: ONNX Abs, opset 13."""

    dtypes: ClassVar[str] = "fiu"

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("abs")
