"""BatchNormalization: each channel shifted and scaled by statistics of the training data."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import expect


@dataclass(frozen=True)
class BatchNormalization(Op):
    """scale (x - mean) / sqrt(var + epsilon) + b, per channel.

    Inputs
        x                    [n, c, ...] or [n], which has one channel
        scale, b, mean, var  [c]
    Output
        y                    as x

    Raises ShapeError for training_mode = 1: this is inference.

    Source: ONNX BatchNormalization, opset 15; Ioffe and Szegedy, arXiv:1502.03167.
    """

    arity: ClassVar[tuple[int, int]] = (5, 5)
    dtypes: ClassVar[str] = "f"

    epsilon: float = 1e-5
    momentum: float = 0.9
    training_mode: int = 0

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, *statistics = self.operands(inputs)
        if self.training_mode:
            raise ShapeError("BatchNormalization: training_mode is 1, but only inference is supported")
        if not x.rank:
            raise ShapeError("BatchNormalization needs an input with channels, not a scalar")
        for name, spec in zip(("scale", "b", "mean", "var"), statistics, strict=True):
            expect(self.kind, name, spec, x.dims[1:2] or (1,))
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, *statistics = self.required(inputs)
        scale, b, mean, var = (
            v.astype(np.float64).reshape(-1, *[1] * (x.ndim - 2)) if x.ndim > 1 else v.astype(np.float64)
            for v in statistics
        )
        with np.errstate(all="ignore"):
            return (finish(scale * (x - mean) / np.sqrt(var + self.epsilon) + b, x.dtype),)
