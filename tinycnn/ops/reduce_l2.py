"""ReduceL2: Euclidean norms over some axes."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.reduce import _Reduce
from tinycnn.ops.shapes import Shape


class ReduceL2(_Reduce):
    """The square root of the sum of x^2 over axes; 0 of nothing.  Source: ONNX ReduceL2, opset 18."""

    dtypes: ClassVar[str] = "f"

    def reduce(self, x: np.ndarray, axes: Shape) -> np.ndarray:
        return np.sqrt((x**2).sum(axes, keepdims=True))
