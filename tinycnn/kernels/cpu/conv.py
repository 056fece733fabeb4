"""What all convolution families share: the layouts of their inputs, and the epilogue of a store."""

from typing import Any

import numpy as np

from tinycnn.kernels.convolution import ConvProblem, has_residual
from tinycnn.kernels.cpu.activation import routine
from tinycnn.kernels.lowering import Emitter, Layout, Request
from tinycnn.ops.activation import Activation


def padded_bias(bias: np.ndarray, size: int) -> np.ndarray:
    """The bias with zeros behind it, `size` in all."""
    return np.pad(bias.astype(np.float32), (0, size - bias.size))


def input_layouts(r: Request, source: Layout, output: Layout = "blocked") -> list[Layout | None]:
    """The layouts of a Conv's inputs: x as told, weights and bias packed, the residual as the output is."""
    layouts: list[Layout | None] = [source, None, None, output if has_residual(r) else None]
    return layouts[: len(r.inputs)]


def sizes(p: ConvProblem, names: str) -> dict[str, int]:
    """Values of fields that are called as in the problem; `width` is the input's, where `w` are the weights."""
    return {name: getattr(p, "w" if name == "width" else name) for name in names.split()}


def requantization(e: Emitter, r: Request, size: int) -> dict[str, Any]:
    """Values of the fields `factor:addr lo:f32 hi:f32 scale:f32` for an IntegerConv or IntegerGemm; `size` factors,
    zeros behind those of the channels."""
    factor, limits, co = r.values[3], r.op.activation, r.outputs[0].dims[1]
    assert factor is not None
    each = e.weights(f"factor {size}", lambda: padded_bias(np.broadcast_to(factor.reshape(-1), co), size))
    return {"factor": each, "lo": limits.alpha, "hi": limits.beta, "scale": r.op.scale}


def epilogue(e: Emitter, activation: Activation | None, isa: str) -> dict[str, Any]:
    """Values of the fields `lo:f32 hi:f32 act:code act_args:addr` that every fusing kernel has.

    A clamp (relu, relu6, none) is applied in registers; any other function by calling its routine on what was just
    stored.
    """
    if activation and activation.function == "clamp":
        return {"lo": activation.alpha, "hi": activation.beta, "act": 0, "act_args": 0}
    return {"lo": -np.inf, "hi": np.inf, **routine(e, activation, isa)}
