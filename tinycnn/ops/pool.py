"""Base of the pooling operators: a window over the spatial axes of each channel."""

from dataclasses import dataclass, replace
from typing import ClassVar

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, written
from tinycnn.ops.window import Window, window


@dataclass(frozen=True)
class _Pool(Op):
    """Base: x [n, c, *spatial] to y [n, c, *out] with out = (in + begin + end - d * (k - 1) - 1) // s + 1 per axis.

    With ceil_mode the division rounds up, but no window starts in the end padding. Empty strides, pads or dilations
    mean 1, 0 and 1; pads holds the begins, then the ends; auto_pad SAME_UPPER or SAME_LOWER stands
    for pads that depend on the input's size, until that is bound.

    Raises ShapeError when an output axis has no element, or when a window would lie in the padding altogether.
    """

    dtypes: ClassVar[str] = "f"

    kernel_shape: Shape = ()
    strides: Shape = ()
    pads: Shape = ()
    dilations: Shape = ()
    ceil_mode: int = 0
    auto_pad: str = "NOTSET"

    def window(self, x: Shape) -> Window:
        return window(self.kind, self.kernel_shape, x[2:], self.strides, self.pads, self.dilations, self.auto_pad)

    def bound(self, inputs: Specs) -> "_Pool":
        if self.auto_pad == "NOTSET":
            return self
        (x,) = self.operands(inputs)
        return replace(self, pads=self.window(x.dims).pads, auto_pad="NOTSET")

    def outputs(self, x: Shape) -> Shape:
        """Spatial sizes of the output."""
        return self.window(x).outputs(self.kind, x[2:], bool(self.ceil_mode))

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        out = self.outputs(x.dims)
        if not self.window(x.dims).counts(x.dims[2:], out, padding=False).all():
            raise ShapeError(
                f"{self.kind}: with input {written(x.dims)}, kernel {written(self.kernel_shape)} and pads "
                f"{written(self.pads)} a window lies in the padding altogether"
            )
        return (x.with_shape((*x.dims[:2], *out)),)
