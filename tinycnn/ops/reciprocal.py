"""Reciprocal: one over x."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.activation import Activation, _Elementwise


@dataclass(frozen=True)
class Reciprocal(_Elementwise):
    """1 / x.  Source: ONNX Reciprocal, opset 13."""

    def activation(self, *parameters: np.ndarray | None) -> Activation:
        return Activation("reciprocal")
