"""GatherND: slices picked by several indices each."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import written


@dataclass(frozen=True)
class GatherND(Op):
    """The slices x[indices[..., 0], indices[..., 1], ...], separately for each index of the first batch_dims axes.

    Inputs
        x        any shape and dtype
        indices  int64 [*batch, ..., depth]
    Output
        y        [*batch, ..., *the axes of x behind the first batch_dims + depth]

    Raises ShapeError when the shapes do not fit, or an index does not exist.

    Source: ONNX GatherND, opset 13.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)

    batch_dims: int = 0

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, indices = self.operands(inputs)
        b = self.batch_dims
        if indices.dtype.kind not in "iu":
            raise ShapeError(f"GatherND: indices must be integers, not {indices.dtype.name}")
        fits = 0 <= b < min(x.rank, indices.rank) and x.dims[:b] == indices.dims[:b]
        if not fits or not 1 <= indices.dims[-1] <= x.rank - b:
            raise ShapeError(
                f"GatherND: indices {written(indices.dims)} do not fit x {written(x.dims)} with batch_dims = {b}"
            )
        return (x.with_shape((*indices.dims[:-1], *x.dims[b + indices.dims[-1] :])),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, indices = self.required(inputs)
        b, depth = self.batch_dims, indices.shape[-1]
        limits = np.array(x.shape[b : b + depth])
        if ((indices < -limits) | (indices >= limits)).any():
            raise ShapeError(f"GatherND: an index is outside {written(x.shape)}")
        middle = indices.ndim - 1 - b
        batch = [axis.reshape(*axis.shape, *[1] * middle) for axis in np.indices(x.shape[:b])]
        return (np.asarray(x[(*batch, *np.moveaxis(indices.astype(np.int64), -1, 0))]),)
