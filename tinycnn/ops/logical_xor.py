"""Xor: the logical difference."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.ops.broadcast import _Comparison


@dataclass(frozen=True)
class Xor(_Comparison):
    """Exactly one of a and b, broadcast, of bool.  Source: ONNX Xor, opset 7."""

    dtypes: ClassVar[str] = "b"

    def compare(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a ^ b
