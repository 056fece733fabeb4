"""ConvTranspose: the transpose of a convolution, also known as deconvolution."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation, finish
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, expect, same_dtype, written
from tinycnn.ops.window import SAME, Window, split_pads, window


@dataclass(frozen=True)
class ConvTranspose(Op):
    """Every element of x adds the kernel, times itself, to y.

    Inputs
        x  [n, ci, *spatial]
        w  [ci, co / group, *kernel]
        b  [co], optional
    Output
        y  [n, co, *out] with out = s * (in - 1) + d * (k - 1) + 1 + output_padding - begin - end per axis

    Empty strides, pads, dilations or output_padding mean 1, 0, 1 and 0. pads holds the begins, then the ends, that
    are cut off y; output_padding is appended to y, where the kernel may or may not reach. output_shape, the spatial
    sizes of y, takes the place of pads, as do SAME_UPPER and SAME_LOWER, which mean s * in: what is too much is cut
    off on both sides, an odd element at the end if auto_pad is SAME_UPPER, else at the begin; what is missing is
    appended. The activation is what a pass fused.
    Raises ShapeError when ci is no multiple of group, when x and w disagree, or when an output axis has no element.

    Source: ONNX ConvTranspose, opset 22. `kernel_shape` does not exist here: it is the weights'.
    """

    arity: ClassVar[tuple[int, int]] = (2, 3)
    dtypes: ClassVar[str] = "f"

    strides: Shape = ()
    pads: Shape = ()
    dilations: Shape = ()
    output_padding: Shape = ()
    group: int = 1
    output_shape: Shape = ()
    auto_pad: str = "NOTSET"
    activation: Activation | None = None

    def window(self, x: Shape, w: Shape) -> Window:
        return window(self.kind, w[2:], x[2:], self.strides, self.pads, self.dilations)

    def bound(self, inputs: Specs) -> "ConvTranspose":
        x, w = self.operands(inputs)
        return self.explicit(x.dims, w.dims)

    def explicit(self, x: Shape, w: Shape) -> "ConvTranspose":
        """The same operator with pads instead of output_shape and auto_pad."""
        if not self.output_shape and self.auto_pad == "NOTSET":
            return self
        spatial = len(x) - 2
        free = replace(self, output_shape=(), auto_pad="NOTSET", pads=())
        strides = free.window(x, w).strides
        wanted = self.output_shape or tuple(size * s for size, s in zip(x[2:], strides, strict=True))
        if len(wanted) != spatial or self.auto_pad not in ("NOTSET", *SAME):
            raise ShapeError(f"{self.kind}: output_shape {written(wanted)} and auto_pad {self.auto_pad!r} do not fit")
        surplus = [size - target for size, target in zip(free.uncut(x, w), wanted, strict=True)]
        extra = self.output_padding or (0,) * spatial
        return replace(
            free,
            pads=split_pads((max(s, 0) for s in surplus), self.auto_pad),
            output_padding=tuple(e + max(-s, 0) for e, s in zip(extra, surplus, strict=True)),
        )

    def uncut(self, x: Shape, w: Shape) -> Shape:
        """Spatial sizes of the output before `pads` are cut off."""
        taps, extra = self.window(x, w), self.output_padding or (0,) * (len(x) - 2)
        return tuple(
            s * (size - 1) + extent + e
            for s, size, extent, e in zip(taps.strides, x[2:], taps.extents, extra, strict=True)
        )

    def outputs(self, x: Shape, w: Shape) -> Shape:
        """Spatial sizes of the output."""
        taps = self.window(x, w)
        return tuple(size - b - e for size, b, e in zip(self.uncut(x, w), taps.begins, taps.ends, strict=True))

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, w = self.operands(inputs)
        (b,) = self.optional(inputs)
        same_dtype(self.kind, x, w, b)
        if x.rank != w.rank or x.rank < 3:
            raise ShapeError(
                f"ConvTranspose: x {written(x.dims)} and w {written(w.dims)} must have the same rank, at least 3"
            )
        if self.group < 1 or x.dims[1] != w.dims[0] or x.dims[1] % self.group:
            raise ShapeError(
                f"ConvTranspose: x with {x.dims[1]} channels and w {written(w.dims)} do not fit together in "
                f"{self.group} groups; w must be [{x.dims[1]}, co / group, ...]"
            )
        if self.output_padding and (len(self.output_padding) != x.rank - 2 or min(self.output_padding) < 0):
            raise ShapeError(
                f"ConvTranspose: output_padding must be {x.rank - 2} integers of at least 0, "
                f"not {written(self.output_padding)}"
            )
        out, co = self.explicit(x.dims, w.dims).outputs(x.dims, w.dims), w.dims[1] * self.group
        if min(out) < 1 or 0 in x.dims[2:]:
            raise ShapeError(
                f"ConvTranspose: x {written(x.dims)}, w {written(w.dims)} and pads {written(self.pads)} leave an "
                f"output of spatial size {written(out)}"
            )
        expect(self.kind, "b", b, (co,))
        return (x.with_shape((x.dims[0], co, *out)),)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        """Tap by tap: a matrix product with the transposed weights, added where the tap falls."""
        x, w = self.required(inputs)
        (b,) = self.optional(inputs)
        if self.output_shape or self.auto_pad != "NOTSET":
            return self.explicit(x.shape, w.shape).reference(*inputs)
        (n, ci, *sizes), g = x.shape, self.group
        taps, co = self.window(x.shape, w.shape), w.shape[1] * g
        weights = w.astype(np.float64).reshape(g, ci // g, co // g, *taps.kernel).swapaxes(1, 2)
        flat = x.astype(np.float64).reshape(n, g, ci // g, math.prod(sizes))
        whole = np.zeros((n, co, *self.uncut(x.shape, w.shape)))
        for index in taps.taps():
            whole[taps.at(index, tuple(sizes))] += (weights[(slice(None),) * 3 + index] @ flat).reshape(n, co, *sizes)
        kept = (slice(p, p + o) for p, o in zip(taps.begins, self.outputs(x.shape, w.shape), strict=True))
        y = whole[(slice(None), slice(None), *kept)]
        if b is not None:
            y = y + b.reshape(co, *[1] * len(sizes))
        return (finish(y, x.dtype, self.activation),)

    def macs(self, inputs: Specs, outputs: Specs) -> int:
        x, w = inputs[0], inputs[1]
        assert x is not None and w is not None
        return x.size * math.prod(w.dims[1:])
