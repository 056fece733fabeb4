"""ReduceSum: sums over some axes."""

import numpy as np

from tinycnn.ops.reduce import _Reduce
from tinycnn.ops.shapes import Shape


class ReduceSum(_Reduce):
    """The sum over axes; 0 of nothing.  Source: ONNX ReduceSum, opset 13."""

    def reduce(self, x: np.ndarray, axes: Shape) -> np.ndarray:
        return x.sum(axes, x.dtype, keepdims=True)
