"""Mod: the remainder of a division."""

from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.broadcast import _Arithmetic
from tinycnn.ops.op import Specs, Values


@dataclass(frozen=True)
class Mod(_Arithmetic):
    """a - floor(a / b) b, with the sign of b; or with fmod = 1 a - trunc(a / b) b, with the sign of a.

    Raises ShapeError for fmod other than 0 and 1.

    Source: ONNX Mod, opset 28.
    """

    fmod: int = 0

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        if self.fmod not in (0, 1):
            raise ShapeError(f"Mod: fmod must be 0 or 1, not {self.fmod}")
        return super().infer(inputs, values)

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.fmod(a, b) if self.fmod else np.mod(a, b)
