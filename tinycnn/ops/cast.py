"""Cast: another dtype for the same numbers."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.dtypes import numbered_dtype
from tinycnn.ops.op import Op, Specs, Values


@dataclass(frozen=True)
class Cast(Op):
    """x in the dtype whose ONNX number is `to`: floats lose their fraction on the way to integers, integers wrap
    around, anything but 0 is true.

    Inputs
        x  any shape and dtype
    Output
        y  as x, in the dtype `to`

    Raises ShapeError for a dtype that NumPy does not have. `saturate` and `round_mode` concern only such.

    Source: ONNX Cast, opset 25.
    """

    to: int = 1

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        return (TensorSpec(x.shape, numbered_dtype(self.kind, "to", self.to)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        with np.errstate(all="ignore"):
            return (self.required(inputs)[0].astype(numbered_dtype(self.kind, "to", self.to)),)
