"""MatMul: products of stacks of matrices."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation, finish
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import broadcast, same_dtype, written


@dataclass(frozen=True)
class MatMul(Op):
    """The matrix product as numpy.matmul defines it: leading axes broadcast, a vector is a row on the left and a
    column on the right.

    Inputs
        a  [..., m, k] or [k]
        b  [..., k, n] or [k]
    Output
        y  [..., m, n] without the axes that a vector lacks

    The activation is what a pass fused. Raises ShapeError when a and b disagree on k, or their leading axes.

    Source: ONNX MatMul, opset 13.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)
    dtypes: ClassVar[str] = "fiu"

    activation: Activation | None = None

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        a, b = self.operands(inputs)
        dtype = same_dtype(self.kind, a, b)
        if self.activation and dtype.kind != "f":
            raise ShapeError(f"MatMul: the activation {self.activation} is not defined for {dtype.name}")
        if not a.rank or not b.rank or a.dims[-1] != b.dims[-2:][0]:
            raise ShapeError(f"MatMul: {written(a.dims)} and {written(b.dims)} do not agree on the inner size")
        stack = broadcast(self.kind, a.dims[:-2], b.dims[:-2])
        return (TensorSpec((*stack, *a.dims[-2:-1], *(b.dims[-1:] if b.rank > 1 else ())), dtype),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        a, b = self.required(inputs)
        if a.dtype.kind != "f":
            return (np.asarray(np.matmul(a, b)),)
        return (finish(np.matmul(a.astype(np.float64), b.astype(np.float64)), a.dtype, self.activation),)

    def macs(self, inputs: Specs, outputs: Specs) -> int:
        a, y = inputs[0], outputs[0]
        assert a is not None and y is not None
        return y.size * a.dims[-1]
