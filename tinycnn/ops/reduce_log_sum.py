"""ReduceLogSum: logarithms of sums over some axes."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.reduce import _Reduce
from tinycnn.ops.shapes import Shape


class ReduceLogSum(_Reduce):
    """The logarithm of the sum over axes; -inf of nothing.  Source: ONNX ReduceLogSum, opset 18."""

    dtypes: ClassVar[str] = "f"

    def reduce(self, x: np.ndarray, axes: Shape) -> np.ndarray:
        return np.log(x.sum(axes, keepdims=True))
