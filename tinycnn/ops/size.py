"""Size: the number of elements of a tensor."""

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values


class Size(Op):
    """The number of elements of x, as an int64 scalar. The reference reads nothing of x but its shape.

    Source: ONNX Size, opset 25.
    """

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        self.operands(inputs)
        return (TensorSpec((), np.dtype(np.int64)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        return (np.array(self.required(inputs)[0].size, np.int64),)
