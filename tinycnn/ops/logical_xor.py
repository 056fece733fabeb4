"""Xor: the logical difference."""

from typing import ClassVar

import numpy as np

from tinycnn.ops.broadcast import _Comparison


class Xor(_Comparison):
    """Exactly one of a and b, broadcast, of bool.  Source: ONNX Xor, opset 7."""

    dtypes: ClassVar[str] = "b"

    def compare(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a ^ b
