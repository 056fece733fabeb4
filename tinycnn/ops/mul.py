"""Mul: the product of two tensors."""

import numpy as np

from tinycnn.ops.broadcast import _Arithmetic


class Mul(_Arithmetic):
    """a * b, broadcast.  Source: ONNX Mul, opset 14."""

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a * b
