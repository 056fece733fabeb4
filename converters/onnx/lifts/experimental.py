"""Operators that opset 1 had on trial and that later opsets lost; models of that time still carry them."""

import numpy as np

from tinycnn.converters.onnx.call import Call
from tinycnn.converters.onnx.lifts.registry import lift

F32 = np.float32


@lift("Affine")
def affine(call: Call) -> None:
    """alpha x + beta"""
    scaled = call.emit("Mul", [call.required(0), call.constant(call.take("alpha", 1.0), F32, "alpha")])
    call.emit("Add", [scaled, call.constant(call.take("beta", 0.0), F32, "beta")], call.outputs)


@lift("Scale")
def scale(call: Call) -> None:
    call.emit("Mul", [call.required(0), call.constant(call.take("scale", 1.0), F32, "scale")], call.outputs)


@lift("ImageScaler")
def image_scaler(call: Call) -> None:
    """scale x + bias[c], on [n, c, h, w]"""
    factor, bias = call.take("scale", 1.0), call.take("bias", ())
    x = call.emit("Mul", [call.required(0), call.constant(factor, F32, "scale")])
    call.emit("Add", [x, call.constant(np.reshape(bias, (-1, 1, 1)), F32, "bias")], call.outputs)


@lift("ParametricSoftplus")
def parametric_softplus(call: Call) -> None:
    """alpha ln(1 + e^(beta x))"""
    x = call.emit("Mul", [call.required(0), call.constant(call.take("beta", 1.0), F32, "beta")], role="inner")
    y = call.emit("Softplus", [x])
    call.emit("Mul", [y, call.constant(call.take("alpha", 1.0), F32, "alpha")], call.outputs)


@lift("ScaledTanh")
def scaled_tanh(call: Call) -> None:
    """alpha tanh(beta x)"""
    x = call.emit("Mul", [call.required(0), call.constant(call.take("beta", 1.0), F32, "beta")], role="inner")
    y = call.emit("Tanh", [x])
    call.emit("Mul", [y, call.constant(call.take("alpha", 1.0), F32, "alpha")], call.outputs)


@lift("GivenTensorFill")
def given_tensor_fill(call: Call) -> None:
    values, shape = call.take("values", ()), call.ints("shape")
    if call.inputs or shape is None or call.take("extra_shape") or np.prod(shape) != len(values):
        raise call.refusal("only a shape attribute that fits the values is understood", attribute="shape")
    call.builder.define(call.outputs[0], np.array(values, F32).reshape(shape))
    call.done = True
