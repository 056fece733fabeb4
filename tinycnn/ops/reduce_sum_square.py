"""ReduceSumSquare: sums of squares over some axes."""

import numpy as np

from tinycnn.ops.reduce import _Reduce
from tinycnn.ops.shapes import Shape


class ReduceSumSquare(_Reduce):
    """The sum of x^2 over axes; 0 of nothing.  Source: ONNX ReduceSumSquare, opset 18."""

    def reduce(self, x: np.ndarray, axes: Shape) -> np.ndarray:
        return (x**2).sum(axes, x.dtype, keepdims=True)
