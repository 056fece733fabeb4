"""Identity: x itself."""

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values


class Identity(Op):
    """x, of any shape and dtype.  Source: ONNX Identity, opset 25."""

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        return (self.operands(inputs)[0],)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        return (self.required(inputs)[0],)
