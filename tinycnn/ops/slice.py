"""Slice: every so many elements between two positions, along some axes."""

from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, integers, positive_axes


def clamped(start: int, end: int, step: int, size: int) -> range:
    """The positions that a slice takes of an axis. Negative positions count from the end; then both are clamped."""
    start, end = (v + size if v < 0 else v for v in (start, end))
    if step > 0:
        return range(min(max(start, 0), size), min(max(end, 0), size), step)
    return range(min(max(start, 0), size - 1), min(max(end, -1), size - 1), step)


class Slice(Op):
    """The elements of x at start, start + step, ... before end, along the given axes.

    Inputs
        x            any shape and dtype
        starts, ends integers [axes]
        axes         integers [axes], optional: the first ones
        steps        integers [axes], not 0, optional: 1
    Output
        y            the elements

    Raises ShapeError when the lists differ in length, an axis comes twice or does not exist, or a step is 0.

    Source: ONNX Slice, opset 13.
    """

    arity: ClassVar[tuple[int, int]] = (3, 5)

    def positions(self, shape: Shape, *inputs: np.ndarray | None) -> list[range]:
        """What is taken of each axis of x; inputs are starts, ends, axes and steps."""
        names = ("starts", "ends", "axes", "steps")
        given = [None if v is None else integers(self.kind, n, v) for n, v in zip(names, inputs, strict=True)]
        starts, ends = given[0] or [], given[1] or []
        axes = positive_axes(self.kind, range(len(starts)) if given[2] is None else given[2], len(shape))
        steps = [1] * len(starts) if given[3] is None else given[3]
        if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
            raise ShapeError(
                f"Slice: starts {starts}, ends {ends}, axes {list(axes)} and steps {steps} do not belong together"
            )
        taken = [range(size) for size in shape]
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            taken[axis] = clamped(start, end, step, shape[axis])
        return taken

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x = self.operands(inputs)[0]
        rest = [*values[1:], *[None] * (5 - len(values))]
        if any(spec is not None and v is None for spec, v in zip(inputs[1:], rest, strict=False)):
            return None
        return (x.with_shape([len(r) for r in self.positions(x.dims, *rest)]),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, starts, ends = self.required(inputs)
        for axis, taken in enumerate(self.positions(x.shape, starts, ends, *self.optional(inputs))):
            x = x.take(np.arange(taken.start, taken.stop, taken.step), axis)
        return (x,)
