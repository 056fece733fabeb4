"""Upsample, and Resize before it had its present coordinates."""

import numpy as np

from tinycnn.converters.onnx.call import Call
from tinycnn.converters.onnx.lifts.registry import lift

# How Upsample and the first Resize mapped an output to an input coordinate.
OLD_COORDINATES = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


@lift("Upsample")
def upsample(call: Call) -> None:
    """scales: two attributes in opset 1, one in 7, an input since 9."""
    mode = call.take("mode", "nearest")
    if call.opset < 7:
        sides = call.take("height_scale", 1.0), call.take("width_scale", 1.0)
        scales = call.constant([1, 1, *sides], np.float32, "scales")
    elif call.opset < 9:
        scales = call.constant(call.take("scales", ()), np.float32, "scales")
    else:
        scales = call.required(1)
    mode = "linear" if mode == "bilinear" else mode
    call.emit("Resize", [call.required(0), "", scales], call.outputs, mode=mode, **OLD_COORDINATES)
    call.say("lifted", "to Resize")


@lift("Resize", last=10)
def resize(call: Call) -> None:
    """Opset 10 left open which element is the nearest; onnxruntime takes the next one along axes that shrink."""
    scales = call.value(1)
    call.attributes.update(OLD_COORDINATES)
    if scales is not None and call.attributes.get("mode", "nearest") == "nearest" and (scales < 1).any():
        if (scales > 1).any():
            grown = call.constant(np.maximum(scales, 1), np.float32, "grown.scales")
            call.inputs[0] = call.emit("Resize", [call.required(0), "", grown], role="grown", **call.attributes)
            call.inputs[1] = call.constant(np.minimum(scales, 1), np.float32, "shrunk.scales")
        call.attributes["nearest_mode"] = "ceil"
    call.inputs[1:] = ["", call.required(1)]


@lift("Resize", first=18)
def antialias(call: Call) -> None:
    call.left = call.left or bool(call.attributes.get("antialias", 0))


@lift("Resize", first=11)
def absent_operands(call: Call) -> None:
    """Before opset 13 an empty tensor stood for an absent roi or scales; later files still have it."""
    for i in (1, 2, 3):
        value = call.value(i)
        if value is not None and value.size == 0:
            call.inputs[i] = ""
