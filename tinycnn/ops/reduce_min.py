"""ReduceMin: least elements over some axes."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.reduce import _Reduce, greatest
from tinycnn.ops.shapes import Shape


class ReduceMin(_Reduce):
    """The least over axes; of nothing, the greatest there is. NaN propagates.  Source: ONNX ReduceMin, opset 20."""

    dtypes: ClassVar[str] = "fiub"

    def reduce(self, x: np.ndarray, axes: Shape) -> np.ndarray:
        return x.min(axes, keepdims=True, initial=greatest(x.dtype))
