"""Less: which elements are less."""

import numpy as np

from tinycnn.ops.broadcast import _Comparison


class Less(_Comparison):
    """a < b, broadcast.  Source: ONNX Less, opset 13."""

    def compare(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a < b
