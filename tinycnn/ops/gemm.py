"""Gemm: a scaled matrix product plus a bias."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation, finish
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import broadcast_to, same_dtype, written


@dataclass(frozen=True)
class Gemm(Op):
    """alpha A B + beta C, where A and B are the inputs, or their transposes as transA and transB say.

    Inputs
        a  [m, k], or [k, m] with transA
        b  [k, n], or [n, k] with transB
        c  broadcasts to [m, n], optional
    Output
        y  [m, n]

    The activation is what a pass fused. Raises ShapeError when the sizes disagree.

    Source: ONNX Gemm, opset 13.
    """

    arity: ClassVar[tuple[int, int]] = (2, 3)
    dtypes: ClassVar[str] = "f"

    alpha: float = 1.0
    beta: float = 1.0
    transA: int = 0
    transB: int = 0
    activation: Activation | None = None

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        a, b = self.operands(inputs)
        (c,) = self.optional(inputs)
        dtype = same_dtype(self.kind, a, b, c)
        if a.rank != 2 or b.rank != 2:
            raise ShapeError(f"Gemm: {written(a.dims)} and {written(b.dims)} are not two matrices")
        m, ka = a.dims[::-1] if self.transA else a.dims
        kb, n = b.dims[::-1] if self.transB else b.dims
        if ka != kb:
            raise ShapeError(
                f"Gemm: {written(a.dims)} and {written(b.dims)} with transA={self.transA} and transB={self.transB} "
                f"do not agree on the inner size: {ka} and {kb}"
            )
        if c is not None:
            broadcast_to(self.kind, "c", c.dims, (m, n))
        return (TensorSpec((m, n), dtype),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        a, b = self.required(inputs)
        (c,) = self.optional(inputs)
        left, right = a.astype(np.float64), b.astype(np.float64)
        y = self.alpha * ((left.T if self.transA else left) @ (right.T if self.transB else right))
        if c is not None:
            y += self.beta * c.astype(np.float64)
        return (finish(y, a.dtype, self.activation),)

    def macs(self, inputs: Specs, outputs: Specs) -> int:
        a, y = inputs[0], outputs[0]
        assert a is not None and y is not None
        return y.size * a.dims[0 if self.transA else 1]
