"""Not: the logical negation."""

from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values


class Not(Op):
    """not x, of bool.  Source: ONNX Not, opset 1."""

    dtypes: ClassVar[str] = "b"

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        return (self.operands(inputs)[0],)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        return (np.asarray(~self.required(inputs)[0]),)
