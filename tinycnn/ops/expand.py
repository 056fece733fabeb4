"""Expand: a tensor repeated along axes of size 1."""

from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import broadcast, integers


class Expand(Op):
    """x, broadcast with a tensor of the given shape.

    Inputs
        x      any shape and dtype
        shape  integers; a size of 1 leaves x's own
    Output
        y      the shape to which both broadcast

    Source: ONNX Expand, opset 13.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)

    def target(self, x: tuple[int, ...], shape: np.ndarray) -> tuple[int, ...]:
        sizes = integers(self.kind, "shape", shape)
        if min(sizes, default=0) < 0:
            raise ShapeError(f"Expand: negative size in {sizes}")
        return broadcast(self.kind, x, sizes)

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x = self.operands(inputs)[0]
        shape = values[1]
        return None if shape is None else (x.with_shape(self.target(x.dims, shape)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, shape = self.required(inputs)
        return (np.broadcast_to(x, self.target(x.shape, shape)).copy(),)
