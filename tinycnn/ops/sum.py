"""Sum: the sum of several tensors."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.broadcast import _Variadic


class Sum(_Variadic):
    """The sum of all inputs, broadcast.  Source: ONNX Sum, opset 13."""

    dtypes: ClassVar[str] = "f"

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a + b
