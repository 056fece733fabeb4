"""ReduceLogSumExp: logarithms of sums of exponentials over some axes."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.reduce import _Reduce
from tinycnn.ops.shapes import Shape


class ReduceLogSumExp(_Reduce):
    """log(sum e^x) over axes; -inf of nothing.  Source: ONNX ReduceLogSumExp, opset 18."""

    dtypes: ClassVar[str] = "f"

    def reduce(self, x: np.ndarray, axes: Shape) -> np.ndarray:
        top = x.max(axes, keepdims=True, initial=-np.inf)
        top = np.where(np.isfinite(top), top, 0)
        return np.log(np.exp(x - top).sum(axes, keepdims=True)) + top
