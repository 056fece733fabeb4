"""Range: numbers at equal distances."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import expect, same_dtype


@dataclass(frozen=True)
class Range(Op):
    """start, start + delta, ... before limit.

    Inputs
        start, limit, delta  scalars of one dtype, delta not 0
    Output
        y                    [max(ceil((limit - start) / delta), 0)], in their dtype

    Raises ShapeError for a delta of 0.  Source: ONNX Range, opset 27.
    """

    arity: ClassVar[tuple[int, int]] = (3, 3)
    dtypes: ClassVar[str] = "fiu"

    def count(self, start: float, limit: float, delta: float) -> int:
        if delta == 0 or not all(map(math.isfinite, (start, limit, delta))):
            raise ShapeError(f"Range: there is no finite sequence from {start} to {limit} in steps of {delta}")
        return max(math.ceil((limit - start) / delta), 0)

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        specs = self.operands(inputs)
        for name, spec in zip(("start", "limit", "delta"), specs, strict=True):
            if spec.dims != (1,):
                expect(self.kind, name, spec, ())
        dtype = same_dtype(self.kind, *specs)
        known = [v.item() for v in values if v is not None]
        return (TensorSpec((self.count(*known),), dtype),) if len(known) == 3 else None

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        arrays = self.required(inputs)
        start, limit, delta = (x.item() for x in arrays)
        return ((start + np.arange(self.count(start, limit, delta)) * delta).astype(arrays[0].dtype),)
