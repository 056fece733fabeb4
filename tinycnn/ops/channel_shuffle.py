"""ChannelShuffle: the channels of several groups dealt out in turn."""

from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import written


@dataclass(frozen=True)
class ChannelShuffle(Op):
    """Output channel i * group + j is channel j * (c / group) + i of x: [group, c / group] transposed.

    Inputs
        x  [n, c, ...], any dtype
    Output
        y  as x

    Raises ShapeError when c is no multiple of group.

    Source: not in ONNX, where it is Reshape, Transpose and Reshape; Zhang et al., arXiv:1707.01083, section 3.1.
    """

    group: int = 1

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        if x.rank < 2 or self.group < 1 or x.dims[1] % self.group:
            raise ShapeError(
                f"ChannelShuffle needs [n, c, ...] with c a multiple of {self.group} groups, not {written(x.dims)}"
            )
        return (x,)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        n, c, *spatial = x.shape
        return (x.reshape(n, self.group, c // self.group, *spatial).swapaxes(1, 2).reshape(x.shape),)
