"""GlobalAveragePool: the mean of each channel."""

import numpy as np

from tinycnn.ops.activation import finish
from tinycnn.ops.global_pool import _GlobalPool


class GlobalAveragePool(_GlobalPool):
    """The mean over all spatial axes.  Source: ONNX GlobalAveragePool, opset 22."""

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        return (finish(x.mean(tuple(range(2, x.ndim)), np.float64, keepdims=True), x.dtype),)
