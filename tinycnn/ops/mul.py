"""Mul: the product of two tensors."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.broadcast import _Arithmetic


@dataclass(frozen=True)
class Mul(_Arithmetic):
    """a * b, broadcast.  Source: ONNX Mul, opset 14."""

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a * b
