"""Attributes that were dropped or whose meaning moved without a change of inputs."""

from onnx import TensorProto

from tinycnn.converters.onnx.call import Call
from tinycnn.converters.onnx.lifts.registry import lift


@lift("Concat", last=3)
def concat(call: Call) -> None:
    call.attributes.setdefault("axis", 1)


@lift("Cast", last=5)
def cast(call: Call) -> None:
    """`to` was a name."""
    name = call.attributes.get("to")
    element = getattr(TensorProto, str(name).upper(), None)
    if not isinstance(element, int):
        raise call.refusal(f"{name!r} is not an element type", attribute="to")
    call.attributes["to"] = element


@lift("Gemm", last=6)
def gemm(call: Call) -> None:
    """C broadcast only where `broadcast` said so; where it did not, it needed none."""
    call.take("broadcast")


@lift("Scatter")
def scatter(call: Call) -> None:
    """Renamed in opset 11."""
    call.emit("ScatterElements", call.inputs, call.outputs, axis=call.take("axis", 0))


@lift("Scan", last=8)
def scan(call: Call) -> None:
    raise call.refusal("its form before opset 9, with an axis of batches, is unknown here", remedy="export to opset 9")


@lift("GridSample", last=19)
def grid_sample(call: Call) -> None:
    names = {"bilinear": "linear", "bicubic": "cubic"}
    mode = call.attributes.get("mode", "linear")
    call.attributes["mode"] = names.get(mode, mode)


@lift("MaxPool")
def max_pool(call: Call) -> None:
    """A second output asks for the positions of the maxima."""
    if len(call.outputs) > 1 and call.outputs[1]:
        call.attributes["indices"] = True


@lift("Softmax", "LogSoftmax", "Hardmax", last=12)
def softmax(call: Call) -> None:
    """The axis cut the tensor into a matrix, whose rows were normalised: all axes from `axis` on, taken together."""
    axis, rank = call.take("axis", 1), call.fact(0).rank
    if axis == -1 or axis + 1 == rank:
        call.attributes["axis"] = -1
        return
    x = call.required(0)
    rows = call.emit("Flatten", [x], axis=axis)
    y = call.emit(call.kind, [rows], role="rows", axis=-1)
    call.emit("Reshape", [y, call.emit("Shape", [x])], call.outputs, "restore", allowzero=1)
