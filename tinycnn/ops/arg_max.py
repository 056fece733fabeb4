"""ArgMax: where the greatest element is."""

import numpy as np

from tinycnn.ops.arg import _Arg


class ArgMax(_Arg):
    """The position of the greatest element along `axis`.  Source: ONNX ArgMax, opset 13."""

    def position(self, x: np.ndarray) -> np.ndarray:
        return x.argmax(self.axis, keepdims=True)
