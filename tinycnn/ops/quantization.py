"""What the operators between floats and small integers share: how scales lie over a tensor."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation
from tinycnn.ops.op import Op, Specs
from tinycnn.ops.shapes import Shape, positive_axis, written


@dataclass(frozen=True)
class _Quantization(Op):
    """Base: x, scale and an optional zero point of the scale's shape.

    A scale is one number ([] or [1]) for all of x, one for each index of `axis` ([size]), or, with
    block_size > 0, one for every block of so many elements along `axis` (x's shape, but ceil(size / block_size) there).
    """

    arity: ClassVar[tuple[int, int]] = (2, 3)

    axis: int = 1
    block_size: int = 0

    def check(self, x: Shape, scale: Shape, zero_point: Shape | None) -> None:
        """Raises ShapeError unless the scale lies over x as the attributes say."""
        whole = ((), (1,))
        if zero_point is not None and zero_point != scale and not (zero_point in whole and scale in whole):
            raise ShapeError(
                f"{self.kind}: scale {written(scale)} and zero point {written(zero_point)} differ in shape"
            )
        if scale in whole and not self.block_size:
            return
        axis = positive_axis(self.kind, self.axis, len(x))
        blocks = -(-x[axis] // self.block_size) if self.block_size > 0 else 0
        wanted = (*x[:axis], blocks, *x[axis + 1 :]) if self.block_size else x[axis : axis + 1]
        if self.block_size < 0 or scale != wanted:
            raise ShapeError(
                f"{self.kind}: scale {written(scale)} does not lie over {written(x)} along axis {axis} in blocks of "
                f"{self.block_size or 'all'}"
            )

    def spread(self, parameter: np.ndarray, x: Shape) -> np.ndarray:
        """A scale or zero point, as it broadcasts to x."""
        if parameter.size == 1 and not self.block_size:
            return parameter.reshape(())
        axis = positive_axis(self.kind, self.axis, len(x))
        if self.block_size:
            return parameter.repeat(self.block_size, axis).take(np.arange(x[axis]), axis)
        return parameter.reshape(-1, *[1] * (len(x) - axis - 1))

    def quantized(self, inputs: Specs) -> tuple[TensorSpec, TensorSpec, TensorSpec | None]:
        """The checked specs of x, scale and zero point."""
        x, scale = self.operands(inputs)
        (zero_point,) = self.optional(inputs)
        if scale.dtype.kind != "f":
            raise ShapeError(f"{self.kind}: a scale of {scale.dtype.name} is not supported")
        self.check(x.dims, scale.dims, None if zero_point is None else zero_point.dims)
        return x, scale, zero_point


def quantize(x: np.ndarray, scale: np.ndarray, zero_point: np.ndarray | int, low: int, high: int) -> np.ndarray:
    """round(x / scale) + zero_point, kept in [low, high], as float64.

    The quotient is rounded to the scale's dtype before it is rounded to an integer, as ONNX says: halves come out so.
    NaN becomes zero_point.
    """
    with np.errstate(all="ignore"):
        q = np.rint(x.astype(scale.dtype) / scale).astype(np.float64)
    return np.clip(np.where(np.isnan(q), 0, q) + zero_point, low, high)


def check_requantizing(
    kind: str, activation: Activation | None, factor: TensorSpec | None, channels: int | None
) -> None:
    """Raises ShapeError unless sums of so many channels, where that is known, can be quantised: by quantize(lo, hi) of
    their products with a factor of shape [] or [1], or with one for each channel."""
    if activation is None or activation.function != "quantize":
        raise ShapeError(f"{kind}: its activation is {activation}, not quantize(lo, hi)")
    if channels is not None and (factor is None or factor.size not in (1, channels)):
        raise ShapeError(f"{kind}: factor is {factor}, not one number or one for each channel")


def requantized(total: np.ndarray, factor: np.ndarray, activation: Activation, scale: float) -> np.ndarray:
    """scale * quantize(factor * total), float32; the factor broadcasts to the sums."""
    return activation.apply(total * factor).astype(np.float32) * np.float32(scale)
