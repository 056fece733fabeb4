"""ReduceSum: sums over some axes."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.reduce import _Reduce
from tinycnn.ops.shapes import Shape


@dataclass(frozen=True)
class ReduceSum(_Reduce):
    """The sum over axes; 0 of nothing.  Source: ONNX ReduceSum, opset 13."""

    def reduce(self, x: np.ndarray, axes: Shape) -> np.ndarray:
        return x.sum(axes, x.dtype, keepdims=True)
