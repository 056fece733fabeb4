"""IntegerGemm: a product of quantised matrices, held as floats, that is quantised again."""

from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.quantization import check_requantizing, requantized


@dataclass(frozen=True)
class IntegerGemm(Gemm):
    """scale * quantize(factor * (A B + c)).

    Inputs
        a       [m, k], float32 that are integers in [low, low + 255]
        b       [k, n], or [n, k] with transB, float32 that are integers in [-128, 127]
        c       [n], optional: float32 that are integers
        factor  [] or [1], or [n]: float32
    Output
        y       [m, n]

    The activation is quantize(lo, hi); alpha and beta are 1, transA is 0. Sums are as exact, and rounded, as
    IntegerConv's.

    Source: not in ONNX; QGemm of onnxruntime, between integers and floats.
    """

    low: int = -128
    scale: float = 1.0

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        found = super().infer(inputs[:3], values[:3])
        factor = inputs[3] if len(inputs) > 3 else None
        check_requantizing(self.kind, self.activation, factor, found[0].dims[1] if found else None)
        if (self.alpha, self.beta, self.transA) != (1, 1, 0):
            raise ShapeError("IntegerGemm: alpha and beta must be 1, transA 0")
        c = inputs[2] if len(inputs) > 2 else None
        if c is not None and c.size > 1 and c.dims[-1] != c.size:
            raise ShapeError(f"IntegerGemm: c is {c}, not one number or one for each column")
        return found

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        a, b, c, factor = inputs
        (total,) = Gemm(transB=self.transB).reference(a, b, c)
        assert factor is not None and self.activation is not None
        return (requantized(total, factor.reshape(-1), self.activation, self.scale),)
