"""Expand: a tensor broadcast to a shape that is an input."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import broadcast, integers


@dataclass(frozen=True)
class Expand(Op):
    """x broadcast together with the shape: a size 1 on either side takes the other's size.

    Inputs
        x      any shape and dtype
        shape  integers [axes]
    Output
        y      of the shape that both broadcast to

    Raises ShapeError when they do not broadcast.  Source: ONNX Expand, opset 13.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, _ = self.operands(inputs)
        if values[1] is None:
            return None
        return (x.with_shape(broadcast(self.kind, x.dims, integers(self.kind, "shape", values[1]))),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, shape = self.required(inputs)
        return (np.broadcast_to(x, broadcast(self.kind, x.shape, integers(self.kind, "shape", shape))),)
