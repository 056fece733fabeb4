"""Neg: the negative."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


class Neg(_Elementwise):
    """-x, of floats and signed integers.  Source: ONNX Neg, opset 13."""

    dtypes: ClassVar[str] = "fi"

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("neg")
