"""Pow: one tensor to the power of another."""

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.broadcast import _Arithmetic
from tinycnn.ops.op import Specs, Values


class Pow(_Arithmetic):
    """a to the power b, broadcast, in the dtype of a; b may have another. Integers are rounded toward zero.

    Source: ONNX Pow, opset 15.
    """

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        a, b = self.operands(inputs)
        if b.dtype.kind not in self.dtypes:
            raise ShapeError(f"Pow: an exponent of {b.dtype.name} is not defined")
        return super().infer([a, TensorSpec(b.shape, a.dtype)], values)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        a, b = self.required(inputs)
        with np.errstate(all="ignore"):
            if a.dtype.kind != "f" and b.dtype.kind != "f" and (b >= 0).all():
                return (np.asarray(np.power(a.astype(np.int64), b.astype(np.int64)), a.dtype),)
            return (finish(np.power(a.astype(np.float64), b.astype(np.float64)), a.dtype, self.activation),)
