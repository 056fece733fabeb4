"""Operators on quantised tensors: dequantise, compute in float, quantise."""

from typing import Any

import numpy as np

from tinycnn.converters.onnx.call import Call
from tinycnn.converters.onnx.lifts.registry import lift
from tinycnn.converters.onnx.lifts.windows import kernel_of, resolve_auto_pad

MICROSOFT = "com.microsoft"


def dequantized(call: Call, first: int, role: str, axis: int = 0) -> str:
    """The float tensor of inputs first (codes), first + 1 (scale) and first + 2 (zero point)."""
    scale = call.fact(first + 1)
    value = call.value(first + 1)
    per_axis = scale.rank == 1 if value is None else value.size > 1
    operands = [call.required(first), call.required(first + 1), call.input(first + 2)]
    if value is not None and value.ndim == 1 and not per_axis:
        operands[1:] = [scalar(call, name) for name in operands[1:]]
    attributes: dict[str, Any] = {"axis": axis} if per_axis else {}
    return call.emit("DequantizeLinear", operands, role=role, **attributes)


def scalar(call: Call, name: str) -> str:
    """A constant of one element, as a scalar."""
    value = call.builder.constants.get(name)
    return name if value is None or value.ndim == 0 else call.builder.constant(value.reshape(()), f"{name}.scalar")


def quantize(call: Call, y: str, first: int) -> None:
    """Quantises y to the call's output, by scale and zero point at inputs first and first + 1."""
    operands = [scalar(call, call.required(first)), scalar(call, call.input(first + 1))]
    call.emit("QuantizeLinear", [y, *operands], call.outputs)


def dequantized_bias(call: Call, bias: str, alpha: float = 1.0) -> str:
    """The float bias of int32 codes, whose scale is the product of the operands' scales and zero point 0."""
    scales = [call.value(1), call.value(4)]
    if scales[0] is None or scales[1] is None:
        raise call.refusal("with a bias the scales must be constants")
    scale = alpha * scales[0].reshape(-1) * scales[1].reshape(-1)
    per_axis = scale.size > 1
    name = call.constant(scale if per_axis else scale.item(), np.float32, "bias.scale")
    attributes: dict[str, Any] = {"axis": 0} if per_axis else {}
    return call.emit("DequantizeLinear", [bias, name], role="bias", **attributes)


def unary(call: Call, kind: str) -> None:
    y = call.emit(kind, [dequantized(call, 0, "x")], role="y", **call.attributes)
    quantize(call, y, 3)


@lift("QLinearConv")
def conv(call: Call) -> None:
    """The bias is int32 with scale x_scale * w_scale and zero point 0."""
    resolve_auto_pad(call, kernel_of(call, 3))
    operands = [dequantized(call, 0, "x"), dequantized(call, 3, "w", axis=0)]
    if bias := call.input(8):
        operands.append(dequantized_bias(call, bias))
    quantize(call, call.emit("Conv", operands, role="y", **call.attributes), 6)


@lift("QLinearMatMul")
def matmul(call: Call) -> None:
    a, b = dequantized(call, 0, "a", axis=-2), dequantized(call, 3, "b", axis=-1)
    quantize(call, call.emit("MatMul", [a, b], role="y"), 6)


@lift("QLinearAdd", "QLinearMul", domain=MICROSOFT)
def binary(call: Call) -> None:
    operands = [dequantized(call, 0, "a"), dequantized(call, 3, "b")]
    quantize(call, call.emit(call.kind.removeprefix("QLinear"), operands, role="y"), 6)


@lift("QLinearLeakyRelu", "QLinearSigmoid", domain=MICROSOFT)
def activation(call: Call) -> None:
    unary(call, call.kind.removeprefix("QLinear"))


@lift("QLinearGlobalAveragePool", "QLinearAveragePool", domain=MICROSOFT)
def pool(call: Call) -> None:
    if call.take("channels_last", 0):
        raise call.refusal("only the channel axis 1 is understood", attribute="channels_last")
    if call.kind == "QLinearAveragePool":
        resolve_auto_pad(call, call.attributes.get("kernel_shape"))
    unary(call, call.kind.removeprefix("QLinear"))


@lift("QLinearSoftmax", domain=MICROSOFT)
def softmax(call: Call) -> None:
    opset, rank = call.take("opset", 13), call.fact(0).rank
    axis = call.attributes.setdefault("axis", -1)
    if opset < 13 and axis != -1 and axis + 1 != rank:
        raise call.refusal("before opset 13 only the last axis is understood here", attribute="axis")
    unary(call, "Softmax")


@lift("QLinearConcat", domain=MICROSOFT)
def concat(call: Call) -> None:
    """Inputs: scale and zero point of the output, then codes, scale and zero point of each operand."""
    operands = [dequantized(call, first, f"x{first}") for first in range(2, len(call.inputs), 3)]
    quantize(call, call.emit("Concat", operands, role="y", axis=call.take("axis")), 0)


@lift("QGemm", domain=MICROSOFT)
def gemm(call: Call) -> None:
    """The bias is int32 with scale alpha * a_scale * b_scale; without an output scale the result is float."""
    attributes = {name: call.take(name) for name in ("alpha", "transA", "transB") if name in call.attributes}
    operands = [dequantized(call, 0, "a"), dequantized(call, 3, "b", axis=0 if attributes.get("transB") else 1)]
    if bias := call.input(6):
        operands.append(dequantized_bias(call, bias, attributes.get("alpha", 1.0)))
    if call.input(7):
        quantize(call, call.emit("Gemm", operands, role="y", **attributes), 7)
    else:
        call.emit("Gemm", operands, call.outputs, **attributes)


@lift("QuantizeLinear", "DequantizeLinear", domain=MICROSOFT)
def linear(call: Call) -> None:
    call.emit(call.kind, call.inputs, call.outputs, **call.attributes)
