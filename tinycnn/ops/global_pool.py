"""Base of the pooling operators whose window is all of the spatial axes."""

from typing import ClassVar

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import written


class _GlobalPool(Op):
    """Base: x [n, c, *spatial] to y [n, c, 1, ...]. Raises ShapeError when there is nothing to pool."""

    dtypes: ClassVar[str] = "f"

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        if x.rank < 2 or 0 in x.dims[2:]:
            raise ShapeError(
                f"{self.kind} needs an input [n, c, ...] with at least one element a channel, not {written(x.dims)}"
            )
        return (x.with_shape((*x.dims[:2], *[1] * (x.rank - 2))),)
