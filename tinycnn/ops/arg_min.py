"""ArgMin: where the least element is."""

import numpy as np

from tinycnn.ops.arg import _Arg


class ArgMin(_Arg):
    """The position of the least element along `axis`.  Source: ONNX ArgMin, opset 13."""

    def position(self, x: np.ndarray) -> np.ndarray:
        return x.argmin(self.axis, keepdims=True)
