"""Range: equally spaced numbers."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import same_dtype


@dataclass(frozen=True)
class Range(Op):
    """start, start + delta, ... before limit.

    Inputs
        start, limit, delta  scalars of one dtype
    Output
        y                    [max(ceil((limit - start) / delta), 0)]

    Raises ShapeError for a delta of 0 and for what is no number. stash_type is of no account.

    Source: ONNX Range, opset 27.
    """

    arity: ClassVar[tuple[int, int]] = (3, 3)
    dtypes: ClassVar[str] = "fiu"

    stash_type: int = 1

    def count(self, start: np.ndarray, limit: np.ndarray, delta: np.ndarray) -> int:
        a, b, step = start.item(), limit.item(), delta.item()
        if step == 0 or not all(map(math.isfinite, (a, b, step))):
            raise ShapeError(f"Range: no numbers from {a} to {b} in steps of {step}")
        return max(math.ceil((b - a) / step) if start.dtype.kind == "f" else -((a - b) // step), 0)

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        start, limit, delta = self.operands(inputs)
        dtype = same_dtype(self.kind, start, limit, delta)
        if any(spec.size != 1 for spec in (start, limit, delta)):
            raise ShapeError("Range: start, limit and delta must be scalars")
        known = [v for v in values if v is not None]
        return None if len(known) < 3 else (TensorSpec((self.count(*known),), dtype),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        start, limit, delta = self.required(inputs)
        steps = np.arange(self.count(start, limit, delta))
        if start.dtype.kind == "f":
            return (finish(start.item() + steps * delta.item(), start.dtype),)
        return ((start.item() + steps * delta.item()).astype(start.dtype),)
