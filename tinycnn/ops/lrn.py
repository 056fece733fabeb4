"""LRN: local response normalisation, across neighbouring channels."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.op import Op, Specs, Values


@dataclass(frozen=True)
class LRN(Op):
    """x / (bias + alpha / size * s)^beta, s the sum of squares of the `size` channels around each.

    These are the channels from c - floor((size - 1) / 2) to c + ceil((size - 1) / 2), as far as they exist.

    Inputs
        x  [n, c, ...]
    Output
        y  as x

    Source: ONNX LRN, opset 13; Krizhevsky et al., NIPS 2012, section 3.3.
    """

    dtypes: ClassVar[str] = "f"

    size: int = 1
    alpha: float = 1e-4
    beta: float = 0.75
    bias: float = 1.0

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        if x.rank < 2 or self.size < 1:
            raise ShapeError(
                f"LRN needs an input [n, c, ...] and size of at least 1, not rank {x.rank} and {self.size}"
            )
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        wide = x.astype(np.float64)
        before, after = (self.size - 1) // 2, self.size // 2
        squares = np.pad(wide**2, [(0, 0), (before, after), *[(0, 0)] * (x.ndim - 2)])
        total = np.zeros(x.shape)
        for i in range(self.size):
            total += squares[:, i : i + x.shape[1]]
        with np.errstate(all="ignore"):
            return (finish(wide / (self.bias + self.alpha / self.size * total) ** self.beta, x.dtype),)
