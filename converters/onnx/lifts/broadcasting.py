"""Broadcasting before opset 7: only the second operand, aligned by `axis` where that was given."""

import numpy as np

from tinycnn.converters.onnx.call import Call
from tinycnn.converters.onnx.lifts.registry import lift


@lift("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Less", "Greater", last=6)
def aligned(call: Call) -> None:
    """Appends axes of size 1 to b until it lies at `axis` of a; without `axis` b is a suffix of a, as today."""
    wanted, axis = call.take("broadcast", 0), call.take("axis")
    if not wanted or axis is None:
        return
    a, b = call.required(0), call.required(1)
    rank, own = call.fact(0).rank, call.fact(1).rank
    value = call.value(1)
    if rank is None or own is None:
        call.inputs[1] = reshaped(call, a, b, axis)
        return
    axis += rank if axis < 0 else 0
    missing = rank - axis - own
    if axis < 0 or missing < 0:
        raise call.refusal(f"an operand of rank {own} does not fit at axis {axis} of rank {rank}", attribute="axis")
    if missing and value is not None:
        call.inputs[1] = call.builder.constant(value.reshape(value.shape + (1,) * missing), f"{b}.aligned")
    elif missing:
        call.inputs[1] = call.emit("Unsqueeze", [b, call.axes(range(own, own + missing))])


def reshaped(call: Call, a: str, b: str, axis: int) -> str:
    """The same by shape arithmetic: b reshaped to shape(b) + [1] * (rank(a) - axis - rank(b))."""
    if axis < 0:
        raise call.refusal("a negative axis needs inputs of known rank", attribute="axis")
    shape = call.emit("Shape", [b], role="b.shape")
    ranks = [call.emit("Shape", [call.emit("Shape", [a], role="a.shape")], role="a.rank")]
    ranks += [call.emit("Shape", [shape], role="b.rank"), call.axes([axis], "axis")]
    rest = call.emit("Sub", [call.emit("Sub", ranks[:2], role="rest"), ranks[2]], role="missing")
    ones = call.emit("ConstantOfShape", [rest], role="ones", value=np.ones(1, np.int64))
    return call.emit("Reshape", [b, call.emit("Concat", [shape, ones], role="aligned.shape", axis=0)], role="aligned")


@lift("PRelu", last=6)
def prelu(call: Call) -> None:
    """A slope of one axis lay along the channels."""
    rank, slope = call.fact(0).rank, call.value(1)
    if slope is None or rank is None:
        if call.fact(1).rank != 1:
            return
        raise call.refusal("the rank of x must be known", remedy="export the model to opset 7 or newer")
    if slope.ndim == 1 and slope.size > 1 and rank > 2:
        call.inputs[1] = call.builder.constant(slope.reshape(-1, *[1] * (rank - 2)), f"{call.inputs[1]}.aligned")
