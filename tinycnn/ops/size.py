"""Size: how many elements a tensor has, as a tensor."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values


@dataclass(frozen=True)
class Size(Op):
    """The number of elements of x, of any shape and dtype, as an int64 scalar.  Source: ONNX Size, opset 13."""

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        self.operands(inputs)
        return (TensorSpec((), np.dtype(np.int64)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        return (np.array(self.required(inputs)[0].size, np.int64),)
