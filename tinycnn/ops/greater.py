"""Greater: which elements are greater."""

import numpy as np

from tinycnn.ops.broadcast import _Comparison


class Greater(_Comparison):
    """a > b, broadcast.  Source: ONNX Greater, opset 13."""

    def compare(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a > b
