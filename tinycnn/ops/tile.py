"""Tile: a tensor repeated along its axes."""

from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, integers, written


class Tile(Op):
    """x, repeats[i] times along axis i.

    Inputs
        x        any shape and dtype
        repeats  integers [rank of x]

    Source: ONNX Tile, opset 13.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)

    def times(self, x: Shape, repeats: np.ndarray) -> list[int]:
        times = integers(self.kind, "repeats", repeats)
        if len(times) != len(x) or min(times, default=0) < 0:
            raise ShapeError(f"Tile: repeats {times} do not fit {written(x)}")
        return times

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x = self.operands(inputs)[0]
        repeats = values[1]
        if repeats is None:
            return None
        return (x.with_shape([size * t for size, t in zip(x.dims, self.times(x.dims, repeats), strict=True)]),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, repeats = self.required(inputs)
        return (np.tile(x, self.times(x.shape, repeats)),)
