"""And: the logical conjunction."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.broadcast import _Comparison


class And(_Comparison):
    """a and b, broadcast, of bool.  Source: ONNX And, opset 7."""

    dtypes: ClassVar[str] = "b"

    def compare(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a & b
