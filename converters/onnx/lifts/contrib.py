"""Float operators that onnxruntime's optimiser writes (domain com.microsoft).

Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from typing import Any

import numpy as np

from tinycnn.converters.onnx.call import Call
from tinycnn.converters.onnx.lifts.quantized import MICROSOFT
from tinycnn.converters.onnx.lifts.registry import lift
from tinycnn.converters.onnx.lifts.windows import kernel_of, resolve_auto_pad

# Parameters of fused activations, in the order of activation_params.
PARAMETERS = {"LeakyRelu": ("alpha",), "HardSigmoid": ("alpha", "beta"), "Elu": ("alpha",)}


def activate(call: Call, y: str, kind: str, parameters: tuple[float, ...]) -> None:
    """The activation of a fused operator, to the call's output."""
    if kind == "Clip":
        if len(parameters) != 2:
            raise call.refusal("Clip needs two of them", attribute="activation_params")
        low, high = parameters
        bounds = [call.constant(low, np.float32, "min"), call.constant(high, np.float32, "max")]
        call.emit("Clip", [y, *bounds], call.outputs)
    elif kind in ("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish", *PARAMETERS):
        attributes: dict[str, Any] = dict(zip(PARAMETERS.get(kind, ()), parameters, strict=False))
        call.emit(kind, [y], call.outputs, **attributes)
    else:
        raise call.refusal(f"{kind!r} is not understood", attribute="activation")


@lift("FusedConv", domain=MICROSOFT)
def fused_conv(call: Call) -> None:
    """Conv, then the sum with a fourth input, then an activation."""
    kind, parameters = call.take("activation", ""), tuple(call.take("activation_params", ()))
    resolve_auto_pad(call, kernel_of(call, 1))
    operands, residual = call.inputs[:3], call.input(3)
    if not kind and not residual:
        call.emit("Conv", operands, call.outputs, **call.attributes)
        return
    y = call.emit("Conv", operands, **call.attributes)
    if not kind:
        call.emit("Add", [y, residual], call.outputs)
        return
    activate(call, call.emit("Add", [y, residual]) if residual else y, kind, parameters)


@lift("FusedGemm", domain=MICROSOFT)
def fused_gemm(call: Call) -> None:
    kind = call.take("activation", "")
    given = [call.take(f"activation_{name}") for name in ("alpha", "beta", "gamma")]
    y = call.emit("Gemm", call.inputs, **call.attributes)
    activate(call, y, kind, tuple(value for value in given if value is not None))


@lift("FusedMatMul", domain=MICROSOFT)
def fused_matmul(call: Call) -> None:
    if call.take("transBatchA", 0) or call.take("transBatchB", 0):
        raise call.refusal("transposed batches are not understood", attribute="transBatchA")
    alpha, operands = call.take("alpha", 1.0), []
    for i, name in enumerate(("transA", "transB")):
        operand, rank = call.required(i), call.fact(i).rank
        if call.take(name, 0):
            if rank is None:
                raise call.refusal("the rank of the operand must be known", attribute=name)
            perm = (*range(rank - 2), rank - 1, rank - 2)
            operand = call.emit("Transpose", [operand], role=f"{name}", perm=perm)
        operands.append(operand)
    if alpha == 1:
        call.emit("MatMul", operands, call.outputs)
    else:
        y = call.emit("MatMul", operands)
        call.emit("Mul", [y, call.constant(alpha, call.dtype(), "alpha")], call.outputs)


@lift("Gelu", domain=MICROSOFT)
def gelu(call: Call) -> None:
    call.emit("Gelu", call.inputs[:1], call.outputs)


@lift("FastGelu", "BiasGelu", domain=MICROSOFT)
def biased_gelu(call: Call) -> None:
    x = call.emit("Add", call.inputs[:2], role="biased") if call.input(1) else call.required(0)
    attributes = {"approximate": "tanh"} if call.kind == "FastGelu" else {}
    call.emit("Gelu", [x], call.outputs, **attributes)


@lift("QuickGelu", domain=MICROSOFT)
def quick_gelu(call: Call) -> None:
    """x sigmoid(alpha x)"""
    x, alpha = call.required(0), call.constant(call.take("alpha", 1.702), call.dtype(), "alpha")
    gate = call.emit("Sigmoid", [call.emit("Mul", [x, alpha], role="inner")])
    call.emit("Mul", [x, gate], call.outputs)
