"""Min: the least of several tensors."""

import numpy as np

from tinycnn.ops.broadcast import _Variadic


class Min(_Variadic):
    """The least of all inputs, broadcast; NaN propagates.  Source: ONNX Min, opset 13."""

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.minimum(a, b)
