"""GreaterOrEqual: which elements are not less."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ops.broadcast import _Comparison


@dataclass(frozen=True)
class GreaterOrEqual(_Comparison):
    """a >= b, broadcast.  Source: ONNX GreaterOrEqual, opset 16."""

    def compare(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a >= b
