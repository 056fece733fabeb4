"""Add: the sum of two tensors."""

import numpy as np

from tinycnn.ops.broadcast import _Arithmetic


class Add(_Arithmetic):
    """a + b, broadcast.  Source: ONNX Add, opset 14."""

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a + b
