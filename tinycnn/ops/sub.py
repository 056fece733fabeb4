"""Sub: the difference of two tensors."""

import numpy as np

from tinycnn.ops.broadcast import _Arithmetic


class Sub(_Arithmetic):
    """a - b, broadcast.  Source: ONNX Sub, opset 14."""

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a - b
