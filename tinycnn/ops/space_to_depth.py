"""SpaceToDepth: blocks of the plane stacked into channels."""

from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, written

# mode -> y [n, *channel number, h / b, w / b] as axes of x [n, c, h / b, row, w / b, column]
ORDERS = {"DCR": (0, 3, 5, 1, 2, 4), "CRD": (0, 1, 3, 5, 2, 4)}


@dataclass(frozen=True)
class SpaceToDepth(Op):
    """[n, c, h, w] to [n, b^2 c, h / b, w / b] with b the blocksize, of any dtype.

    A channel number of y is (row, column, channel) of the block in mode "DCR" and (channel, row, column) in mode "CRD".
    Raises ShapeError for another mode, or when h or w is no multiple of b.

    Source: ONNX SpaceToDepth, opset 28.
    """

    blocksize: int = 1
    mode: str = "DCR"

    def target(self, x: Shape) -> Shape:
        b = self.blocksize
        if len(x) != 4 or b < 1 or x[2] % b or x[3] % b or self.mode not in ORDERS:
            raise ShapeError(
                f"SpaceToDepth needs [n, c, h, w] with h and w multiples of {b} and mode {' or '.join(ORDERS)}, "
                f"not {written(x)} and {self.mode!r}"
            )
        return x[0], x[1] * b * b, x[2] // b, x[3] // b

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        return (x.with_shape(self.target(x.dims)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        (n, c, h, w), b = x.shape, self.blocksize
        blocks = x.reshape(n, c, h // b, b, w // b, b)
        return (blocks.transpose(ORDERS[self.mode]).reshape(self.target(x.shape)),)
