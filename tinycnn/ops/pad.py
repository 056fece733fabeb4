"""Pad: elements added around a tensor, or cut off it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, expect, integers, positive_axes, same_dtype, written

MODES = ("constant", "reflect", "edge", "wrap")


@dataclass(frozen=True)
class Pad(Op):
    """x with elements added before and after each axis; negative pads cut off, before anything is added.

    Inputs
        x      any shape and dtype
        pads   integers [2 * axes]: the begins, then the ends
        value  scalar, optional: 0; what mode "constant" adds
        axes   integers [axes], optional: all axes
    Output
        y      [begin + size + end for each axis]

    mode  "constant"; "reflect": mirrored at the first and last element; "edge": these repeated; "wrap": periodic
    Raises ShapeError for another mode, for pads that do not fit x, or when an axis would be filled from nothing.

    Source: ONNX Pad, opset 25.
    """

    arity: ClassVar[tuple[int, int]] = (2, 4)

    mode: str = "constant"

    def amounts(self, shape: Shape, pads: np.ndarray, axes: np.ndarray | None) -> list[tuple[int, int]]:
        """(begin, end) of each axis."""
        flat = integers(self.kind, "pads", pads)
        rank = len(shape)
        where = positive_axes(self.kind, range(rank) if axes is None else integers(self.kind, "axes", axes), rank)
        if len(flat) != 2 * len(where):
            raise ShapeError(f"Pad: {len(flat)} pads for {len(where)} axes, not two for each")
        result = [(0, 0)] * rank
        for i, axis in enumerate(where):
            begin, end = result[axis] = flat[i], flat[i + len(where)]
            left = shape[axis] + min(begin, 0) + min(end, 0)
            filled = left == 0 and max(begin, end) > 0 and self.mode != "constant"
            if left < 0 or filled:
                raise ShapeError(f"Pad: {written(shape)} cannot be padded by {begin} and {end} along axis {axis}")
        return result

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, _ = self.operands(inputs)
        value, axes = self.optional(inputs)
        if self.mode not in MODES:
            raise ShapeError(f"Pad: mode must be one of {', '.join(MODES)}, not {self.mode!r}")
        if value is not None:
            same_dtype(self.kind, x, value)
            if value.dims != (1,):
                expect(self.kind, "value", value, ())
        pads, known_axes = values[1], self.optional(values)[1]
        if pads is None or (axes is not None and known_axes is None):
            return None
        return (
            x.with_shape([b + n + e for n, (b, e) in zip(x.dims, self.amounts(x.dims, pads, known_axes), strict=True)]),
        )

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, pads = self.required(inputs)
        value, axes = self.optional(inputs)
        amounts = self.amounts(x.shape, pads, axes)
        kept = x[tuple(slice(max(-b, 0), n - max(-e, 0)) for n, (b, e) in zip(x.shape, amounts, strict=True))]
        added = [(max(b, 0), max(e, 0)) for b, e in amounts]
        if self.mode == "constant":
            return (np.pad(kept, added, constant_values=0 if value is None else value.item()),)
        return (np.pad(kept, added, mode=self.mode),)  # type: ignore[call-overload]
