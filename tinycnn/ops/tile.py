"""Tile: a tensor repeated along its axes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import integers, written


@dataclass(frozen=True)
class Tile(Op):
    """x, so many times in a row along each axis.

    Inputs
        x        any shape and dtype
        repeats  integers [rank of x], none negative
    Output
        y        [size * repeats for each axis]

    Raises ShapeError unless there is one repeat for each axis.  Source: ONNX Tile, opset 13.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)

    def repeats(self, rank: int, value: np.ndarray) -> list[int]:
        repeats = integers(self.kind, "repeats", value)
        if len(repeats) != rank or min(repeats, default=0) < 0:
            raise ShapeError(f"Tile: repeats {written(repeats)} must be {rank} integers of at least 0")
        return repeats

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, _ = self.operands(inputs)
        if values[1] is None:
            return None
        return (x.with_shape([d * r for d, r in zip(x.dims, self.repeats(x.rank, values[1]), strict=True)]),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, repeats = self.required(inputs)
        return (np.tile(x, self.repeats(x.ndim, repeats)),)
