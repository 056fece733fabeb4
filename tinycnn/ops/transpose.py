"""Transpose: the axes in another order."""

from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, positive_axes, written


@dataclass(frozen=True)
class Transpose(Op):
    """y with axis i being axis perm[i] of x; without perm the axes are reversed.  Source: ONNX Transpose, opset 25."""

    perm: Shape = ()

    def order(self, rank: int) -> Shape:
        """The permutation. Raises ShapeError when perm is none of `rank` axes."""
        order = positive_axes(self.kind, self.perm or range(rank)[::-1], rank)
        if len(order) != rank:
            raise ShapeError(f"Transpose: perm {written(self.perm)} is no order of {rank} axes")
        return order

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        return (x.with_shape([x.dims[axis] for axis in self.order(x.rank)]),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        return (x.transpose(self.order(x.ndim)).copy(),)
