"""Cast: the same numbers in another dtype."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.dtypes import numbered_dtype
from tinycnn.ops.op import Op, Specs, Values


@dataclass(frozen=True)
class Cast(Op):
    """x in the dtype that ONNX numbers `to`: floats to integers toward zero, anything but 0 to True.

    Raises ShapeError for strings, bfloat16 and floats of 8 or 4 bits; saturate and round_mode concern only these.

    Source: ONNX Cast, opset 28.
    """

    dtypes: ClassVar[str] = "fiub"

    to: int = 1
    saturate: int = 1
    round_mode: str = "up"

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        return (TensorSpec(x.shape, numbered_dtype(self.kind, "to", self.to)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        with np.errstate(all="ignore"):
            return (self.required(inputs)[0].astype(numbered_dtype(self.kind, "to", self.to)),)
