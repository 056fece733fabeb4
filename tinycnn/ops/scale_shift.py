"""ScaleShift: one multiply-add per channel, which is what a batch normalisation that stands alone becomes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation, finish
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import expect


@dataclass(frozen=True)
class ScaleShift(Op):
    """x * scale + shift along axis 1, then the activation that a pass fused.

    Inputs
        x             [n, c, ...]
        scale, shift  [c]
    Output
        y             as x

    Source: not in ONNX.
    """

    arity: ClassVar[tuple[int, int]] = (3, 3)
    dtypes: ClassVar[str] = "f"

    activation: Activation | None = None

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, scale, shift = self.operands(inputs)
        if x.rank < 2:
            raise ShapeError(f"ScaleShift needs an input [n, c, ...], not one of rank {x.rank}")
        expect(self.kind, "scale", scale, x.dims[1:2])
        expect(self.kind, "shift", shift, x.dims[1:2])
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, scale, shift = self.required(inputs)
        channel = (-1, *[1] * (x.ndim - 2))
        y = x.astype(np.float64) * scale.reshape(channel) + shift.reshape(channel)
        return (finish(y, x.dtype, self.activation),)

    def macs(self, inputs: Specs, outputs: Specs) -> int:
        return outputs[0].size if outputs[0] is not None else 0
