"""Div: the quotient of two tensors."""

import numpy as np

from tinycnn.ops.broadcast import _Arithmetic


def truncating_division(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Quotients of integers, rounded toward zero."""
    down = a // b
    return down + ((down * b != a) & ((a < 0) != (b < 0))).astype(down.dtype)


class Div(_Arithmetic):
    """a / b, broadcast; of integers rounded toward zero.  Source: ONNX Div, opset 14."""

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a / b if a.dtype.kind == "f" else truncating_division(a, b)
