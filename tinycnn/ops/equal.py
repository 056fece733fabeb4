"""Equal: which elements are equal."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.broadcast import _Comparison


class Equal(_Comparison):
    """a == b, broadcast, of numbers or bool.  Source: ONNX Equal, opset 19."""

    dtypes: ClassVar[str] = "fiub"

    def compare(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a == b
