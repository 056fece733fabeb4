"""ReduceMax: greatest elements over some axes."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.reduce import _Reduce, least
from tinycnn.ops.shapes import Shape


class ReduceMax(_Reduce):
    """The greatest over axes; of nothing, the least there is. NaN propagates.  Source: ONNX ReduceMax, opset 20."""

    dtypes: ClassVar[str] = "fiub"

    def reduce(self, x: np.ndarray, axes: Shape) -> np.ndarray:
        return x.max(axes, keepdims=True, initial=least(x.dtype))
