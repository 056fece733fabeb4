"""ReduceProd: products over some axes."""

import numpy as np

from tinycnn.ops.reduce import _Reduce
from tinycnn.ops.shapes import Shape


class ReduceProd(_Reduce):
    """The product over axes; 1 of nothing.  Source: ONNX ReduceProd, opset 18."""

    def reduce(self, x: np.ndarray, axes: Shape) -> np.ndarray:
        return x.prod(axes, x.dtype, keepdims=True)
