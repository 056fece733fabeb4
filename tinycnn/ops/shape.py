"""Shape: the sizes of a tensor, as a tensor."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values


@dataclass(frozen=True)
class Shape(Op):
    """The sizes of x, from axis `start` to before axis `end`, as int64; axes outside x are cut to its rank.

    The reference reads nothing of x but its shape.  Source: ONNX Shape, opset 25.
    """

    start: int = 0
    end: int | None = None

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        return (TensorSpec((len(x.dims[self.start : self.end]),), np.dtype(np.int64)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        return (np.array(x.shape[self.start : self.end], np.int64),)
