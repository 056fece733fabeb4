"""Gather: elements picked along one axis."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import positive_axis


@dataclass(frozen=True)
class Gather(Op):
    """The slices of x at the given indices of `axis`, negative ones counting from the end.

    Inputs
        x        any shape and dtype
        indices  integers of any shape
    Output
        y        x's shape with the indices' shape in place of `axis`

    Raises ShapeError when an index does not exist.

    Source: ONNX Gather, opset 13.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)

    axis: int = 0

    def check(self, size: int, indices: np.ndarray) -> None:
        if ((indices < -size) | (indices >= size)).any():
            raise ShapeError(f"Gather: an index of {indices.min()} to {indices.max()} is outside an axis of {size}")

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, indices = self.operands(inputs)
        axis = positive_axis(self.kind, self.axis, x.rank)
        if indices.dtype.kind not in "iu":
            raise ShapeError(f"Gather: indices must be integers, not {indices.dtype.name}")
        known = values[1]
        if known is not None:
            self.check(x.dims[axis], known)
        return (x.with_shape((*x.dims[:axis], *indices.dims, *x.dims[axis + 1 :])),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, indices = self.required(inputs)
        self.check(x.shape[self.axis], indices)
        return (np.asarray(x.take(indices.astype(np.int64), self.axis)),)
