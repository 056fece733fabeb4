"""Conv: cross-correlation over the spatial axes, with what may be fused into its store."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation
from tinycnn.ops.op import Op, Specs, Values


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

    Empty strides, pads or dilations mean 1, 0 and 1. pads holds the begins, then the ends.
    Raises ShapeError when ci is no multiple of group, when x and w disagree, or when an output axis has no element.

    Source: ONNX Conv, opset 22. `auto_pad` and `kernel_shape` are resolved by the converter; they do not exist here.
    """

    arity: ClassVar[tuple[int, int]] = (2, 4)

    strides: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    group: int = 1
    activation: Activation | None = None
