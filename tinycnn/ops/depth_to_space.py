"""DepthToSpace: blocks of channels laid out in the plane."""

from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, written

# mode -> y [n, c, h, row, w, column] as axes of x [n, *channel number, h, w]
ORDERS = {"DCR": (0, 3, 4, 1, 5, 2), "CRD": (0, 1, 4, 2, 5, 3)}


@dataclass(frozen=True)
class DepthToSpace(Op):
    """[n, c, h, w] to [n, c / b^2, h b, w b] with b the blocksize, of any dtype.

    A channel number is (row, column, channel) of the block in mode "DCR" and (channel, row, column) in mode "CRD".
    Raises ShapeError for another mode, or when c is no multiple of b^2.

    Source: ONNX DepthToSpace, opset 28.
    """

    blocksize: int = 1
    mode: str = "DCR"

    def target(self, x: Shape) -> Shape:
        b = self.blocksize
        if len(x) != 4 or b < 1 or x[1] % (b * b) or self.mode not in ORDERS:
            raise ShapeError(
                f"DepthToSpace needs [n, c, h, w] with c a multiple of {b} * {b} and mode {' or '.join(ORDERS)}, "
                f"not {written(x)} and {self.mode!r}"
            )
        return x[0], x[1] // (b * b), x[2] * b, x[3] * b

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        return (x.with_shape(self.target(x.dims)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        (n, c, h, w), b = x.shape, self.blocksize
        depth = (b, b, c // (b * b)) if self.mode == "DCR" else (c // (b * b), b, b)
        return (x.reshape(n, *depth, h, w).transpose(ORDERS[self.mode]).reshape(self.target(x.shape)),)
