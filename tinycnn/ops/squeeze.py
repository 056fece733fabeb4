"""Squeeze: axes of size 1 dropped."""

from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, integers, positive_axes, written


class Squeeze(Op):
    """x without the given axes, which must be of size 1; without `axes`, without all of size 1.

    Inputs
        x     any shape and dtype
        axes  integers, optional

    Source: ONNX Squeeze, opset 25.
    """

    arity: ClassVar[tuple[int, int]] = (1, 2)

    def target(self, x: Shape, axes: np.ndarray | None) -> Shape:
        if axes is None:
            return tuple(size for size in x if size != 1)
        dropped = positive_axes(self.kind, integers(self.kind, "axes", axes), len(x))
        if any(x[axis] != 1 for axis in dropped):
            raise ShapeError(f"Squeeze: of {written(x)} the axes {written(dropped)} are not all of size 1")
        return tuple(size for axis, size in enumerate(x) if axis not in dropped)

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        (spec,), (axes,) = self.optional(inputs), self.optional(values)
        return None if spec is not None and axes is None else (x.with_shape(self.target(x.dims, axes)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        return (x.reshape(self.target(x.shape, self.optional(inputs)[0])),)
