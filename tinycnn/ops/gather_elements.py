"""GatherElements: one element of an axis for each index."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import positive_axis, written


@dataclass(frozen=True)
class GatherElements(Op):
    """y[i, j, k] = x[i, indices[i, j, k], k] for axis 1 of rank 3; negative indices count from the end.

    Inputs
        x        any shape and dtype
        indices  integers of the rank of x, on other axes no larger than x
    Output
        y        the indices' shape, the dtype of x

    Raises ShapeError when an index does not exist.

    Source: ONNX GatherElements, opset 13.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)

    axis: int = 0

    def check(self, size: int, indices: np.ndarray) -> None:
        if ((indices < -size) | (indices >= size)).any():
            raise ShapeError(
                f"{self.kind}: an index of {indices.min()} to {indices.max()} is outside an axis of {size}"
            )

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, indices = self.operands(inputs)
        axis = positive_axis(self.kind, self.axis, x.rank)
        if indices.dtype.kind not in "iu":
            raise ShapeError(f"{self.kind}: indices must be integers, not {indices.dtype.name}")
        pairs = enumerate(zip(indices.dims, x.dims, strict=False))
        if indices.rank != x.rank or any(i > d for a, (i, d) in pairs if a != axis):
            raise ShapeError(f"{self.kind}: indices {written(indices.dims)} do not fit input {written(x.dims)}")
        if values[1] is not None:
            self.check(x.dims[axis], values[1])
        return (x.with_shape(indices.dims),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, indices = self.required(inputs)
        axis = positive_axis(self.kind, self.axis, x.ndim)
        self.check(x.shape[axis], indices)
        part = x[tuple(slice(None if a == axis else n) for a, n in enumerate(indices.shape))]
        return (np.take_along_axis(part, indices.astype(np.int64), axis),)
