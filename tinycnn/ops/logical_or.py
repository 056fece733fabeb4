"""Or: the logical disjunction."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.broadcast import _Comparison


class Or(_Comparison):
    """a or b, broadcast, of bool.  Source: ONNX Or, opset 7."""

    dtypes: ClassVar[str] = "b"

    def compare(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a | b
