"""Split: a tensor cut into pieces along one axis."""

from dataclasses import dataclass
from itertools import accumulate
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import ANY_NUMBER, Op, Specs, Values
from tinycnn.ops.shapes import integers, positive_axis


@dataclass(frozen=True)
class Split(Op):
    """Pieces of x along `axis`, of the sizes in `split`, or else num_outputs of them, the last perhaps smaller.

    Inputs
        x      any shape and dtype
        split  integers [pieces], optional
    Outputs
        one for each piece

    Raises ShapeError when the sizes do not add up, or unless exactly one of split and num_outputs (0: none) is given.

    Source: ONNX Split, opset 18. A node without either is given num_outputs by the converter.
    """

    arity: ClassVar[tuple[int, int]] = (1, 2)
    results: ClassVar[int] = ANY_NUMBER

    axis: int = 0
    num_outputs: int = 0

    def sizes(self, total: int, split: np.ndarray | None) -> list[int]:
        if (split is None) == (self.num_outputs < 1):
            raise ShapeError("Split needs either the input split or num_outputs, not both")
        if split is None:
            size = -(-total // self.num_outputs)
            sizes = [size] * (self.num_outputs - 1)
            sizes.append(total - sum(sizes))
        else:
            sizes = integers(self.kind, "split", split)
        if min(sizes, default=-1) < 0 or sum(sizes) != total:
            raise ShapeError(f"Split: axis {self.axis} has {total} elements, which are not pieces of {sizes}")
        return sizes

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        axis = positive_axis(self.kind, self.axis, x.rank)
        (spec,), (split,) = self.optional(inputs), self.optional(values)
        if spec is not None and split is None:
            return None
        sizes = self.sizes(x.dims[axis], split)
        return tuple(x.with_shape((*x.dims[:axis], size, *x.dims[axis + 1 :])) for size in sizes)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        (split,) = self.optional(inputs)
        sizes = self.sizes(x.shape[self.axis], split)
        return tuple(np.split(x, list(accumulate(sizes))[:-1], self.axis))
