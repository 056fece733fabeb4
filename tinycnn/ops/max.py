"""Max: the greatest of several tensors."""

import numpy as np

from tinycnn.ops.broadcast import _Variadic


class Max(_Variadic):
    """The greatest of all inputs, broadcast; NaN propagates.  Source: ONNX Max, opset 13."""

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.maximum(a, b)
