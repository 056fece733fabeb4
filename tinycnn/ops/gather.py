"""Gather: entries of one axis, by their numbers."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import positive_axis


@dataclass(frozen=True)
class Gather(Op):
    """The entries of x along `axis` that indices name; negative ones count from the end.

    Inputs
        x        [before, size, after], any dtype
        indices  int32 or int64, any shape, in [-size, size)
    Output
        y        [before, indices, after]

    Raises ShapeError for an index outside the axis, as soon as it is known.

    Source: ONNX Gather, opset 13.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)

    axis: int = 0

    def check(self, indices: np.ndarray, size: int) -> None:
        outside = indices[(indices < -size) | (indices >= size)]
        if outside.size:
            raise ShapeError(f"Gather: index {outside.flat[0]} is outside axis {self.axis} of {size} elements")

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, indices = self.operands(inputs)
        axis = positive_axis(self.kind, self.axis, x.rank)
        if indices.dtype.kind != "i":
            raise ShapeError(f"Gather: indices must be integers, not {indices.dtype.name}")
        if values[1] is not None:
            self.check(values[1], x.dims[axis])
        return (x.with_shape((*x.dims[:axis], *indices.dims, *x.dims[axis + 1 :])),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, indices = self.required(inputs)
        self.check(indices, x.shape[self.axis])
        return (np.asarray(np.take(x, indices, self.axis)),)
