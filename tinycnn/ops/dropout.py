"""Dropout: at inference nothing is dropped."""

from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values


class Dropout(Op):
    """x itself; `ratio` is the share of its elements that training set to zero.

    Inputs
        x      floats of any shape
        ratio  float scalar, optional
    Outputs
        y      x
        mask   bool, as x: what was kept, which is everything

    ONNX's third input, training_mode, does not exist here. The importer writes no Dropout: it decides between the
    identity and the scale of the original scheme, and says so.

    Source: ONNX Dropout, opset 22; Srivastava et al., JMLR 15 (2014).
    """

    arity: ClassVar[tuple[int, int]] = (1, 2)
    results: ClassVar[int] = 2
    dtypes: ClassVar[str] = "f"

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        return x, TensorSpec(x.shape, np.dtype(bool))

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        return x, np.ones(x.shape, bool)
