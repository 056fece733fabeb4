"""LogSoftmax: the logarithm of Softmax."""

import numpy as np

from tinycnn.ops.activation import finish
from tinycnn.ops.softmax import Softmax


class LogSoftmax(Softmax):
    """x - log(sum e^x) along `axis`. The output has shape and dtype of x.  Source: ONNX LogSoftmax, opset 13."""

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        if not x.size:
            return (x,)
        with np.errstate(all="ignore"):
            shifted = x - x.max(self.axis, keepdims=True).astype(np.float64)
            return (finish(shifted - np.log(np.exp(shifted).sum(self.axis, keepdims=True)), x.dtype),)
