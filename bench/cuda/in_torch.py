"""An ONNX model as a PyTorch module: the operators of the classic networks, no more."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor

Attributes = dict[str, Any]


def padded(x: Tensor, pads: list[int], value: float) -> tuple[Tensor, tuple[int, int]]:
    """Symmetric pads are left to the operator."""
    top, left, bottom, right = pads or [0] * 4
    if (top, left) == (bottom, right):
        return x, (top, left)
    return F.pad(x, (left, right, top, bottom), value=value), (0, 0)


def conv(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    x, pad = padded(x, a.get("pads", []), 0.0)
    return F.conv2d(x, w, b, a.get("strides", 1), pad, a.get("dilations", 1), a.get("group", 1))


def max_pool(a: Attributes, x: Tensor) -> Tensor:
    top, left, bottom, right = a.get("pads") or [0] * 4
    # Windows that start behind the image are what ceil_mode stands for where only the ends are padded.
    x, pad = padded(x, [top, left, bottom, right], float("-inf"))
    return F.max_pool2d(x, a["kernel_shape"], a.get("strides", 1), pad, ceil_mode=bool(a.get("ceil_mode", 0)))


def average_pool(a: Attributes, x: Tensor) -> Tensor:
    x, pad = padded(x, a.get("pads", []), 0.0)
    counted = bool(a.get("count_include_pad", 0))
    ceil = bool(a.get("ceil_mode", 0))
    return F.avg_pool2d(x, a["kernel_shape"], a.get("strides", 1), pad, ceil, counted)


def gemm(a: Attributes, x: Tensor, w: Tensor, b: Tensor | None = None) -> Tensor:
    assert not a.get("transA") and a.get("alpha", 1.0) == a.get("beta", 1.0) == 1.0
    return F.linear(x, w if a.get("transB") else w.t(), b)


def clip(a: Attributes, x: Tensor, lo: Tensor | None = None, hi: Tensor | None = None) -> Tensor:
    return x.clamp(*(None if bound is None else bound.item() for bound in (lo, hi)))


def lrn(a: Attributes, x: Tensor) -> Tensor:
    return F.local_response_norm(x, a["size"], a.get("alpha", 1e-4), a.get("beta", 0.75), a.get("bias", 1.0))


OPERATORS: dict[str, Callable[..., Tensor]] = {
    "Add": lambda a, x, y: x + y,
    "AveragePool": average_pool,
    "Clip": clip,
    "Concat": lambda a, *xs: torch.cat(xs, a["axis"]),
    "Conv": conv,
    "Dropout": lambda a, x, *rest: x,
    "Flatten": lambda a, x: x.flatten(a.get("axis", 1)),
    "Gemm": gemm,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "Identity": lambda a, x: x,
    "LRN": lrn,
    "MatMul": lambda a, x, y: x @ y,
    "MaxPool": max_pool,
    "Mul": lambda a, x, y: x * y,
    "Relu": lambda a, x: F.relu(x),
    "Reshape": lambda a, x, shape: x.reshape([x.shape[i] if n == 0 else n for i, n in enumerate(shape.tolist())]),
    "Softmax": lambda a, x: F.softmax(x, a.get("axis", -1)),
}


class OnnxModule(torch.nn.Module):
    """The model's first output from its first input, weights in the given dtype and layout on the device."""

    def __init__(self, model: onnx.ModelProto, dtype: torch.dtype, memory_format: torch.memory_format):
        super().__init__()
        self.values: dict[str, Tensor] = {}
        for tensor in model.graph.initializer:
            array = numpy_helper.to_array(tensor)
            if array.dtype == np.float32 and array.ndim:
                value = torch.from_numpy(array.copy()).to("cuda", dtype)
                self.values[tensor.name] = value.to(memory_format=memory_format) if value.ndim == 4 else value
            else:
                self.values[tensor.name] = torch.from_numpy(np.array(array))
        self.nodes = [
            (n.op_type, {a.name: onnx.helper.get_attribute_value(a) for a in n.attribute}, list(n.input), n.output[0])
            for n in model.graph.node
        ]
        self.input, self.output = model.graph.input[0].name, model.graph.output[0].name

    def forward(self, x: Tensor) -> Tensor:
        values = {**self.values, self.input: x}
        for kind, attributes, inputs, output in self.nodes:
            values[output] = OPERATORS[kind](attributes, *(values[name] if name else None for name in inputs))
        return values[self.output]
