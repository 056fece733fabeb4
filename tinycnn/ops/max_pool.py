"""MaxPool: the greatest element under each window."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.pool import _Pool
from tinycnn.ops.shapes import Shape


@dataclass(frozen=True)
class MaxPool(_Pool):
    """The greatest element under each window, the padding left out.

    Inputs
        x        [n, c, *spatial], floats, int8 or uint8
    Outputs
        y        [n, c, *out]
        indices  int64 [n, c, *out], if `indices` is set: where in x, counted through all of x; the first of equals.
                 storage_order 1 counts the spatial axes column by column.

    `indices` is not in ONNX, where a node with two outputs means it. Shapes and errors: see the base.

    Source: ONNX MaxPool, opset 22.
    """

    results: ClassVar[int] = 2
    dtypes: ClassVar[str] = "fiu"

    storage_order: int = 0
    indices: bool = False

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        specs = super().infer(inputs, values)
        assert specs is not None
        y = specs[0]
        return (y, TensorSpec(y.shape, np.dtype(np.int64))) if self.indices else (y,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        """Tap by tap, keeping the greatest so far and where it was."""
        (x,) = self.required(inputs)
        taps, out = self.window(x.shape), self.outputs(x.shape)
        least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        padded, where = taps.pad(x, out, least), taps.pad(self.positions(x.shape), out, -1)
        y = np.full((*x.shape[:2], *out), least, x.dtype)
        indices = np.full(y.shape, -1)
        for tap in taps.taps():
            candidate, position = padded[taps.at(tap, out)], where[taps.at(tap, out)]
            better = (position >= 0) & ((candidate > y) | (indices < 0) | np.isnan(candidate))
            y, indices = np.where(better, candidate, y), np.where(better, position, indices)
        return (y, indices) if self.indices else (y,)

    def positions(self, shape: Shape) -> np.ndarray:
        """The number of each element of x [n, c, *spatial]."""
        order = tuple(reversed(shape[2:])) if self.storage_order else shape[2:]
        numbers = np.arange(np.prod(shape, dtype=np.int64)).reshape(*shape[:2], *order)
        return numbers.transpose(0, 1, *reversed(range(2, len(shape)))) if self.storage_order else numbers
