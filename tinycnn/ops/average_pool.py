"""AveragePool: the mean under each window."""

from dataclasses import dataclass

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.op import Specs, Values
from tinycnn.ops.pool import _Pool


@dataclass(frozen=True)
class AveragePool(_Pool):
    """The mean under each window: the sum over what is inside x, divided by how many elements that are.

    With count_include_pad the padding counts too, but not what lies beyond it (in windows that ceil_mode adds).

    Inputs
        x  [n, c, *spatial]
    Output
        y  [n, c, *out]

    Shapes and errors: see the base.  Source: ONNX AveragePool, opset 22.
    """

    count_include_pad: int = 0

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        if not self.count_include_pad:
            return super().infer(inputs, values)
        (x,) = self.operands(inputs)
        return (x.with_shape((*x.dims[:2], *self.outputs(x.dims))),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        taps, out = self.window(x.shape), self.outputs(x.shape)
        padded = taps.pad(x.astype(np.float64), out, 0)
        total = sum(padded[taps.at(tap, out)] for tap in taps.taps())
        return (finish(total / taps.counts(x.shape[2:], out, bool(self.count_include_pad)), x.dtype),)
