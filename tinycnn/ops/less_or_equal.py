"""LessOrEqual: which elements are not greater."""

import numpy as np

from tinycnn.ops.broadcast import _Comparison


class LessOrEqual(_Comparison):
    """a <= b, broadcast.  Source: ONNX LessOrEqual, opset 16."""

    def compare(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a <= b
