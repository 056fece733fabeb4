"""ReduceL1: sums of sizes over some axes."""

import numpy as np

from tinycnn.ops.reduce import _Reduce
from tinycnn.ops.shapes import Shape


class ReduceL1(_Reduce):
    """The sum of |x| over axes; 0 of nothing.  Source: ONNX ReduceL1, opset 18."""

    def reduce(self, x: np.ndarray, axes: Shape) -> np.ndarray:
        return np.abs(x).sum(axes, x.dtype, keepdims=True)
