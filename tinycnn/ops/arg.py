"""Base of the operators that tell where an extreme element is."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import positive_axis, written


@dataclass(frozen=True)
class _Arg(Op):
    """Base: int64 positions along `axis`, which becomes of size 1, or vanishes without keepdims.

    Of equal elements the first counts, or the last with select_last_index. Raises ShapeError when there is none.
    """

    dtypes: ClassVar[str] = "fiu"

    axis: int = 0
    keepdims: int = 1
    select_last_index: int = 0

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        axis = positive_axis(self.kind, self.axis, x.rank)
        if not x.dims[axis]:
            raise ShapeError(f"{self.kind}: {written(x.dims)} has no element along axis {axis}")
        kept = (1,) if self.keepdims else ()
        return (TensorSpec((*x.dims[:axis], *kept, *x.dims[axis + 1 :]), np.dtype(np.int64)),)

    def position(self, x: np.ndarray) -> np.ndarray:
        """The first position of the extreme element along `axis`, kept with size 1."""
        raise NotImplementedError(self.kind)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        if self.select_last_index:
            at = x.shape[self.axis] - 1 - self.position(np.flip(x, self.axis))
        else:
            at = self.position(x)
        return (np.asarray(at if self.keepdims else at.squeeze(self.axis), np.int64),)
