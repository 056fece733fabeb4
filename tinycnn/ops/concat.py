"""Concat: tensors joined along one axis."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import ANY_NUMBER, Op, Specs, Values
from tinycnn.ops.shapes import positive_axis, same_dtype, written


@dataclass(frozen=True)
class Concat(Op):
    """The inputs, one after the other along `axis`; of any dtype, of shapes that differ in this axis alone.

    Source: ONNX Concat, opset 13.
    """

    arity: ClassVar[tuple[int, int]] = (1, ANY_NUMBER)

    axis: int = 0

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        first = self.operands(inputs)[0]
        specs = [spec for spec in inputs if spec is not None]
        if len(specs) < len(inputs):
            raise ShapeError(f"Concat: input {inputs.index(None)} is absent, and not optional")
        dtype = same_dtype(self.kind, *specs)
        axis = positive_axis(self.kind, self.axis, first.rank)
        for spec in specs:
            if spec.rank != first.rank or any(
                a != b for i, (a, b) in enumerate(zip(spec.dims, first.dims, strict=True)) if i != axis
            ):
                raise ShapeError(f"Concat: {written(first.dims)} and {written(spec.dims)} differ beyond axis {axis}")
        total = sum(spec.dims[axis] for spec in specs)
        return (TensorSpec((*first.dims[:axis], total, *first.dims[axis + 1 :]), dtype),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        self.required(inputs)
        return (np.concatenate([x for x in inputs if x is not None], self.axis),)
