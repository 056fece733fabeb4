"""GreaterOrEqual: which elements are not less."""

import numpy as np

from tinycnn.ops.broadcast import _Comparison


class GreaterOrEqual(_Comparison):
    """a >= b, broadcast.  Source: ONNX GreaterOrEqual, opset 16."""

    def compare(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a >= b
