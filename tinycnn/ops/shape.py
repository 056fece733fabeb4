"""Shape: the sizes of a tensor, as a tensor."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values


@dataclass(frozen=True)
class Shape(Op):
    """The sizes of the axes [start, end) of x; negative ones count from the end, then both are clamped.

    Inputs
        x  any shape and dtype
    Output
        y  int64 [axes]

    end None means all axes from start.  Source: ONNX Shape, opset 15.
    """

    start: int = 0
    end: int | None = None

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        return (TensorSpec((len(x.dims[self.start : self.end]),), np.dtype(np.int64)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        return (np.array(x.shape[self.start : self.end], np.int64),)
