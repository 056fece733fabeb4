"""CastLike: the same numbers in the dtype of another tensor."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values


@dataclass(frozen=True)
class CastLike(Op):
    """x in the dtype of the second input; see Cast.  Source: ONNX CastLike, opset 25."""

    arity: ClassVar[tuple[int, int]] = (2, 2)
    dtypes: ClassVar[str] = "fiub"

    saturate: int = 1
    round_mode: str = "up"

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, target = self.operands(inputs)
        return (TensorSpec(x.shape, target.dtype),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, target = self.required(inputs)
        with np.errstate(all="ignore"):
            return (x.astype(target.dtype),)
