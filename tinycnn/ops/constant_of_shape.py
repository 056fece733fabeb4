"""ConstantOfShape: a tensor filled with one value."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import integers

ZERO = np.float32(0)


@dataclass(frozen=True)
class ConstantOfShape(Op):
    """A tensor of the shape that the input lists, of the value and dtype of `value`.

    Inputs
        shape  integers [rank]
    Output
        y      [*shape]

    value  a NumPy scalar; an array of one element becomes one
    Raises ShapeError for a negative size.

    Source: ONNX ConstantOfShape, opset 25.
    """

    value: Any = ZERO

    def __post_init__(self) -> None:
        value = np.asarray(self.value)
        if value.size != 1:
            raise ShapeError(f"ConstantOfShape: value must be one element, not {TensorSpec.of(value)}")
        object.__setattr__(self, "value", value.reshape(-1)[0])

    def target(self, shape: np.ndarray) -> tuple[int, ...]:
        sizes = tuple(integers(self.kind, "shape", shape))
        if min(sizes, default=0) < 0:
            raise ShapeError(f"ConstantOfShape: negative size in {list(sizes)}")
        return sizes

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        self.operands(inputs)
        shape = values[0]
        return None if shape is None else (TensorSpec(self.target(shape), self.value.dtype),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        return (np.full(self.target(self.required(inputs)[0]), self.value),)
