"""ConstantOfShape: a tensor of one value, of a shape that is an input."""

from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import integers, written


@dataclass(frozen=True)
class ConstantOfShape(Op):
    """`value`, as often as the shape says.

    Inputs
        shape  integers [axes], none negative
    Output
        y      of this shape, in the dtype that `dtype` names

    ONNX's attribute `value` is a tensor of one element, which is held here as a number and the name of its dtype.
    Raises ShapeError for a negative size.

    Source: ONNX ConstantOfShape, opset 25.
    """

    value: float | int | bool = 0.0
    dtype: str = "float32"

    def shape(self, value: np.ndarray) -> list[int]:
        shape = integers(self.kind, "shape", value)
        if min(shape, default=0) < 0:
            raise ShapeError(f"ConstantOfShape: {written(shape)} is no shape, it has a negative size")
        return shape

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        self.operands(inputs)
        return None if values[0] is None else (TensorSpec(tuple(self.shape(values[0])), np.dtype(self.dtype)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        return (np.full(self.shape(self.required(inputs)[0]), self.value, self.dtype),)
