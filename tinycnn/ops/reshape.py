"""Reshape: the same elements in another shape."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, integers, written


@dataclass(frozen=True)
class Reshape(Op):
    """The elements of x, in order, in another shape.

    Inputs
        x      any shape and dtype
        shape  integers [rank]; one -1 takes what remains; 0 copies the size of this axis of x, or is 0 with allowzero
    Output
        y      the elements

    Raises ShapeError when the sizes do not give as many elements as x has.

    Source: ONNX Reshape, opset 25.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)

    allowzero: int = 0

    def target(self, x: Shape, shape: np.ndarray) -> Shape:
        """The shape of y."""
        wish = integers(self.kind, "shape", shape)
        error = ShapeError(f"Reshape: {written(x)} cannot become {written(wish)} (allowzero={self.allowzero})")
        copied = [i for i, size in enumerate(wish) if size == 0 and not self.allowzero]
        if any(i >= len(x) for i in copied) or wish.count(-1) > 1 or min(wish, default=0) < -1:
            raise error
        sizes = [x[i] if i in copied else size for i, size in enumerate(wish)]
        if -1 in sizes:
            known = math.prod(size for size in sizes if size != -1)
            if known == 0:
                raise error
            sizes[sizes.index(-1)] = math.prod(x) // known
        if math.prod(sizes) != math.prod(x):
            raise error
        return tuple(sizes)

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x = self.operands(inputs)[0]
        shape = values[1]
        return None if shape is None else (x.with_shape(self.target(x.dims, shape)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, shape = self.required(inputs)
        return (x.reshape(self.target(x.shape, shape)),)
