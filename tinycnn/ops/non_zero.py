"""NonZero: where a tensor is not zero."""

from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values


class NonZero(Op):
    """The indices of all elements that are not zero, int64 [rank, number of them]; the shape depends on the data.

    Source: ONNX NonZero, opset 13.
    """

    dtypes: ClassVar[str] = "fiub"

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        self.operands(inputs)
        return None

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        if x.ndim == 0:
            return (np.zeros((0, int(x != 0)), np.int64),)
        return (np.array(np.nonzero(x), np.int64),)
