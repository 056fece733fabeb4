"""Where: elements of one tensor or another, as a condition says."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import broadcast, same_dtype


@dataclass(frozen=True)
class Where(Op):
    """x where the condition is true, else y; all three broadcast.

    Inputs
        condition  bool
        x, y       of one dtype, whichever
    Output
        z          of the shape that all broadcast to, in the dtype of x

    Source: ONNX Where, opset 16.
    """

    arity: ClassVar[tuple[int, int]] = (3, 3)
    dtypes: ClassVar[str] = "b"

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        condition, x, y = self.operands(inputs)
        shape = broadcast(self.kind, condition.dims, x.dims, y.dims)
        return (TensorSpec(shape, same_dtype(self.kind, x, y)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        return (np.asarray(np.where(*self.required(inputs))),)
