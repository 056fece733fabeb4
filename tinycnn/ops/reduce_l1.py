"""ReduceL1: sums of sizes over some axes."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.reduce import _Reduce
from tinycnn.ops.shapes import Shape


@dataclass(frozen=True)
class ReduceL1(_Reduce):
    """The sum of |x| over axes; 0 of nothing.  Source: ONNX ReduceL1, opset 18."""

    def reduce(self, x: np.ndarray, axes: Shape) -> np.ndarray:
        return np.abs(x).sum(axes, x.dtype, keepdims=True)
