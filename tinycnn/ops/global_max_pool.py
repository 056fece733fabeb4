"""GlobalMaxPool: the greatest element of each channel."""

import numpy as np

from tinycnn.ops.global_pool import _GlobalPool


class GlobalMaxPool(_GlobalPool):
    """The greatest element over all spatial axes; NaN propagates.  Source: ONNX GlobalMaxPool, opset 22."""

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        return (x.max(tuple(range(2, x.ndim)), keepdims=True),)
