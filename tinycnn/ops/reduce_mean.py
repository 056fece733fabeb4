"""ReduceMean: means over some axes."""

import math

import numpy as np

from tinycnn.ops.div import truncating_division
from tinycnn.ops.reduce import _Reduce
from tinycnn.ops.shapes import Shape


class ReduceMean(_Reduce):
    """The mean over axes, of integers rounded toward zero; NaN of nothing.  Source: ONNX ReduceMean, opset 18."""

    def reduce(self, x: np.ndarray, axes: Shape) -> np.ndarray:
        count = math.prod(x.shape[axis] for axis in axes)
        if x.dtype.kind == "f":
            return x.sum(axes, keepdims=True) / count
        return truncating_division(x.sum(axes, keepdims=True), np.array(count))
