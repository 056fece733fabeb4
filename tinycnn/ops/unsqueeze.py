"""Unsqueeze: axes of size 1 inserted."""

from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, integers, positive_axes


class Unsqueeze(Op):
    """x with axes of size 1 where y shall have them.

    Inputs
        x     any shape and dtype
        axes  integers, axes of y

    Source: ONNX Unsqueeze, opset 25.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)

    def target(self, x: Shape, axes: np.ndarray) -> Shape:
        wish = integers(self.kind, "axes", axes)
        rank = len(x) + len(wish)
        inserted, sizes = positive_axes(self.kind, wish, rank), iter(x)
        return tuple(1 if axis in inserted else next(sizes) for axis in range(rank))

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x = self.operands(inputs)[0]
        axes = values[1]
        return None if axes is None else (x.with_shape(self.target(x.dims, axes)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, axes = self.required(inputs)
        return (x.reshape(self.target(x.shape, axes)),)
