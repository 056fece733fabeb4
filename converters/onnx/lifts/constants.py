"""Constants, and nodes that do nothing at inference."""

import numpy as np
from onnx import TensorProto

from tinycnn.converters.onnx.call import Call
from tinycnn.converters.onnx.lifts.registry import lift

DTYPES = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
    "value_string": object,
    "value_strings": object,
}


@lift("Constant")
def constant(call: Call) -> None:
    """Any of the value attributes becomes a constant of the graph."""
    given = [name for name in ("value", "sparse_value", *DTYPES) if name in call.attributes]
    if len(given) != 1 or len(call.attributes) != 1 or not call.outputs:
        raise call.refusal(f"one value attribute is needed and no other, not {', '.join(call.attributes) or 'none'}")
    value = call.take(given[0])
    value = np.array(value, DTYPES[given[0]]) if given[0] in DTYPES else value
    if not isinstance(value, np.ndarray):
        raise call.refusal("it must be a tensor", attribute=given[0])
    element = next((a.t.data_type for a in call.proto.attribute if a.name == given[0]), 0)
    call.builder.define(call.outputs[0], value, element)
    call.say("folded", "constant")
    call.done = True


@lift("Dropout")
def dropout(call: Call) -> None:
    """Identity at inference, or scaling by the keep probability where the network was trained with the original scheme.

    Source: Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, JMLR 15 (2014), 4.
    """
    x = call.required(0)
    training = call.value(2)
    if call.input(2) and (training is None or bool(training.item())):
        raise call.refusal("it would drop at random", "training_mode", "export the model in evaluation mode")
    ratio_input = call.value(1)
    ratio = float(ratio_input.item()) if ratio_input is not None else call.take("ratio", 0.5)
    if not 0 <= ratio < 1:
        raise call.refusal(f"{ratio} is not in [0, 1)", attribute="ratio")
    if len(call.outputs) > 1 and call.outputs[1]:
        mask_of(call, x)
    if call.builder.scale_dropout and ratio:
        keep = call.constant(1 - ratio, call.dtype(), "keep")
        call.emit("Mul", [x, keep], call.outputs[:1])
        call.say("scaled", f"by the keep probability {1 - ratio:g}")
    else:
        call.emit("Identity", [x], call.outputs[:1])
        call.say("removed", "identity at inference")


def mask_of(call: Call, x: str) -> None:
    """The mask says what was kept: since opset 12 everything; before, onnxruntime leaves it all zero."""
    dtype = call.dtype() if call.opset < 10 else np.dtype(bool)
    value = np.full(1, call.opset >= 12, dtype)
    call.emit("ConstantOfShape", [call.emit("Shape", [x], role="mask.shape")], call.outputs[1:2], "mask", value=value)


@lift("EyeLike", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Cast")
def half(call: Call) -> None:
    """Values of half precision are computed in f32."""
    for name in ("to", "dtype"):
        if call.attributes.get(name) in (TensorProto.FLOAT16, TensorProto.BFLOAT16):
            call.attributes[name] = TensorProto.FLOAT
