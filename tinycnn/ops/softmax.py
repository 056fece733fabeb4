"""Softmax: exponentials along one axis, divided by their sum."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import positive_axis


@dataclass(frozen=True)
class Softmax(Op):
    """e^x / sum e^x along `axis`. The output has shape and dtype of x.  Source: ONNX Softmax, opset 13."""

    dtypes: ClassVar[str] = "f"

    axis: int = -1

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        positive_axis(self.kind, self.axis, x.rank)
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        if not x.size:
            return (x,)
        with np.errstate(all="ignore"):
            e = np.exp(x - x.max(self.axis, keepdims=True).astype(np.float64))
            return (finish(e / e.sum(self.axis, keepdims=True), x.dtype),)
