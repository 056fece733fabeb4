"""Base of the operators that say where the extreme element of an axis is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import positive_axis, written


@dataclass(frozen=True)
class _ArgExtremum(Op):
    """Base: x [before, size, after] to int64 [before, 1, after], or without this axis unless keepdims.

    Of equal elements the first counts, or the last with select_last_index. Raises ShapeError for an empty axis.
    """

    dtypes: ClassVar[str] = "fiu"
    find: ClassVar[Callable[..., Any]]

    axis: int = 0
    keepdims: int = 1
    select_last_index: int = 0

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        axis = positive_axis(self.kind, self.axis, x.rank)
        if x.dims[axis] == 0:
            raise ShapeError(f"{self.kind}: axis {axis} of {written(x.dims)} is empty")
        kept = (1,) if self.keepdims else ()
        return (TensorSpec((*x.dims[:axis], *kept, *x.dims[axis + 1 :]), np.dtype(np.int64)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        find = type(self).find
        if self.select_last_index:
            found = x.shape[self.axis] - 1 - find(np.flip(x, self.axis), self.axis, keepdims=bool(self.keepdims))
        else:
            found = find(x, self.axis, keepdims=bool(self.keepdims))
        return (np.asarray(found, np.int64),)
