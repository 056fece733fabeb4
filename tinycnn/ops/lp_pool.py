"""LpPool: the p-norm under each window."""

from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.pool import _Pool


@dataclass(frozen=True)
class LpPool(_Pool):
    """(sum |x|^p)^(1 / p) under each window, padding counting as zero.

    Inputs
        x  [n, c, *spatial]
    Output
        y  [n, c, *out]

    Shapes and errors: see the base; also ShapeError for p < 1.  Source: ONNX LpPool, opset 22.
    """

    p: int = 2

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        if self.p < 1:
            raise ShapeError(f"LpPool: p must be at least 1, not {self.p}")
        return super().infer(inputs, values)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        taps, out = self.window(x.shape), self.outputs(x.shape)
        padded = taps.pad(np.abs(x.astype(np.float64)) ** self.p, out, 0)
        total = np.zeros((*x.shape[:2], *out))
        for tap in taps.taps():
            total += padded[taps.at(tap, out)]
        return (finish(total ** (1 / self.p), x.dtype),)
