"""Conv: cross-correlation over the spatial axes, with what may be fused into its store."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation, finish
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, expect, same_dtype, written
from tinycnn.ops.window import Window, window


@dataclass(frozen=True)
class Conv(Op):
    """Cross-correlation with optional bias, and the residual and activation that passes fuse into it.

    Inputs
        x         [n, ci, *spatial]
        w         [co, ci / group, *kernel]
        b         [co], optional
        residual  [n, co, *out], optional: added before the activation (a fused Add; not in ONNX)
    Output
        y         [n, co, *out] with out = (in + begin + end - d * (k - 1) - 1) // s + 1 per axis

    Empty strides, pads or dilations mean 1, 0 and 1. pads holds the begins, then the ends; auto_pad SAME_UPPER or
    SAME_LOWER stands for pads that depend on the input's size, until that is bound.
    Raises ShapeError when ci or co is no multiple of group, when x and w disagree, or when an output axis has no
    element.

    Source: ONNX Conv, opset 22. `kernel_shape` does not exist here: it is the weights'.
    """

    arity: ClassVar[tuple[int, int]] = (2, 4)
    dtypes: ClassVar[str] = "f"

    strides: Shape = ()
    pads: Shape = ()
    dilations: Shape = ()
    group: int = 1
    auto_pad: str = "NOTSET"
    activation: Activation | None = None

    def window(self, x: Shape, w: Shape) -> Window:
        return window(self.kind, w[2:], x[2:], self.strides, self.pads, self.dilations, self.auto_pad)

    def bound(self, inputs: Specs) -> "Conv":
        if self.auto_pad == "NOTSET":
            return self
        x, w = self.operands(inputs)
        return replace(self, pads=self.window(x.dims, w.dims).pads, auto_pad="NOTSET")

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, w = self.operands(inputs)
        b, residual = self.optional(inputs)
        same_dtype(self.kind, x, w, b, residual)
        if x.rank != w.rank or x.rank < 3:
            raise ShapeError(f"Conv: x {written(x.dims)} and w {written(w.dims)} must have the same rank, at least 3")
        group, ci, co = self.group, x.dims[1], w.dims[0]
        if group < 1 or ci % group or co % group or w.dims[1] * group != ci:
            raise ShapeError(
                f"Conv: x with {ci} channels and w {written(w.dims)} do not fit together in {group} groups; "
                f"w must be [co, {ci} / group, ...], co and {ci} multiples of group"
            )
        y = (x.dims[0], co, *self.window(x.dims, w.dims).outputs(self.kind, x.dims[2:]))
        expect(self.kind, "b", b, (co,))
        expect(self.kind, "residual", residual, y)
        return (x.with_shape(y),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        """A matrix product for each tap of the window and each group, over shifted copies of x."""
        x, w = self.required(inputs)
        b, residual = self.optional(inputs)
        (n, ci, *sizes), co, g = x.shape, w.shape[0], self.group
        taps = self.window(x.shape, w.shape)
        out = taps.outputs(self.kind, tuple(sizes))
        padded = taps.pad(x.astype(np.float64), out, 0)
        weights = w.astype(np.float64).reshape(g, co // g, ci // g, *taps.kernel)
        y = np.zeros((n, g, co // g, math.prod(out)))
        for tap in taps.taps():
            shifted = padded[taps.at(tap, out)].reshape(n, g, ci // g, math.prod(out))
            y += weights[(slice(None),) * 3 + tap] @ shifted
        y = y.reshape(n, co, *out)
        if b is not None:
            y += b.reshape(co, *[1] * len(out))
        if residual is not None:
            y += residual
        return (finish(y, x.dtype, self.activation),)

    def macs(self, inputs: Specs, outputs: Specs) -> int:
        w, y = inputs[1], outputs[0]
        assert w is not None and y is not None
        return y.size * math.prod(w.dims[1:])
