"""Where: elements of one tensor or of another."""

from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import broadcast, same_dtype


class Where(Op):
    """x where the condition holds, else y, all broadcast.

    Inputs
        condition  bool
        x, y       one dtype, any

    Source: ONNX Where, opset 16.
    """

    arity: ClassVar[tuple[int, int]] = (3, 3)
    dtypes: ClassVar[str] = "b"

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        condition, x, y = self.operands(inputs)
        return (TensorSpec(broadcast(self.kind, condition.dims, x.dims, y.dims), same_dtype(self.kind, x, y)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        return (np.where(*self.required(inputs)),)
