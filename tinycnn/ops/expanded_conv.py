"""ExpandedConv: a 1x1 convolution, and a convolution of each of its channels by itself."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.conv import Conv
from tinycnn.ops.op import Op, Specs, Values


@dataclass(frozen=True)
class ExpandedConv(Op):
    """second(first(x, we, be), w, b): the first two convolutions of an inverted residual block.

    Inputs
        x   [n, ci, *spatial]
        we  [c, ci, 1, ...]
        w   [c, 1, *kernel]
        be  [c], optional
        b   [c], optional
    Output
        y   [n, c, *out], as that of second

    Raises ShapeError where either is not defined, where first is no 1x1 convolution of every pixel, and where second is
    not of each channel by itself.

    Source: not in ONNX; Sandler et al. 2018, arXiv:1801.04381, section 3.3.
    """

    arity: ClassVar[tuple[int, int]] = (3, 5)

    first: Conv = field(default_factory=Conv)
    second: Conv = field(default_factory=Conv)

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x, we, w = self.operands(inputs)
        be, b = self.optional(inputs)
        found = self.first.infer((x, we, be), (None,) * 3)
        if found is None or found[0].dims[2:] != x.dims[2:] or math.prod(we.dims[2:]) > 1 or any(self.first.pads):
            raise ShapeError(f"ExpandedConv: the first convolution, by {we}, is not pixel by pixel")
        if self.second.group != found[0].dims[1] or w.dims[0] != self.second.group:
            raise ShapeError(f"ExpandedConv: {self.second.group} groups, not one for each channel of {we}, by {w}")
        return self.second.infer((*found, w, b), (None,) * 3)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x, we, w = self.required(inputs)
        be, b = self.optional(inputs)
        return self.second.reference(*self.first.reference(x, we, be), w, b)

    def macs(self, inputs: Specs, outputs: Specs) -> int:
        x, we, w = self.operands(inputs)
        between = self.first.infer((x, we), (None,) * 2) or ()
        return self.first.macs((x, we), between) + self.second.macs((*between, w), outputs)
