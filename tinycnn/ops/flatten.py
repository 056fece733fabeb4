"""Flatten: a matrix of the same elements."""

import math
from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, written


@dataclass(frozen=True)
class Flatten(Op):
    """[product of the sizes before `axis`, product of the others]; axis in [-rank, rank].

    Source: ONNX Flatten, opset 25.
    """

    axis: int = 1

    def target(self, x: Shape) -> Shape:
        if not -len(x) <= self.axis <= len(x):
            raise ShapeError(f"Flatten: {written(x)} has no axis {self.axis}")
        axis = self.axis + len(x) if self.axis < 0 else self.axis
        return math.prod(x[:axis]), math.prod(x[axis:])

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        return (x.with_shape(self.target(x.dims)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        return (x.reshape(self.target(x.shape)),)
