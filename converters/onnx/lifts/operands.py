"""Attributes that became inputs."""

import numpy as np

from tinycnn.converters.onnx.call import Call
from tinycnn.converters.onnx.lifts.registry import lift

REDUCTIONS = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSumSquare",
)  # fmt: skip
F32_MAX = float(np.finfo(np.float32).max)
END = np.iinfo(np.int64).max


@lift("Clip", last=10)
def clip(call: Call) -> None:
    """The greatest f32 and its negative, the defaults, bound nothing."""
    bounds = [(role, call.take(role, F32_MAX)) for role in ("min", "max")]
    call.inputs += ["" if abs(v) >= F32_MAX else call.constant(v, call.dtype(), role) for role, v in bounds]


@lift("Reshape", last=4)
def reshape(call: Call) -> None:
    shape = call.ints("shape")
    if shape is None:
        raise call.refusal("it must be given", attribute="shape")
    call.inputs.append(call.axes(shape, "shape"))


@lift("Squeeze", "Unsqueeze", last=12)
def squeeze(call: Call) -> None:
    axes = call.ints("axes")
    if axes is not None:
        call.inputs.append(call.axes(axes))
    elif call.kind == "Unsqueeze":
        raise call.refusal("it must be given", attribute="axes")


@lift(*REDUCTIONS, last=17)
@lift("ReduceSum", last=12)
def reduction(call: Call) -> None:
    axes = call.ints("axes")
    if axes:
        call.inputs.append(call.axes(axes))


@lift("Slice", last=9)
def slicing(call: Call) -> None:
    starts, ends, axes = call.ints("starts"), call.ints("ends"), call.ints("axes")
    if starts is None or ends is None or not len(starts) == len(ends) == len(ends if axes is None else axes):
        raise call.refusal("starts, ends and axes must be given with equal lengths", attribute="starts")
    axes = list(range(len(starts))) if axes is None else axes
    call.inputs += [call.axes(starts, "starts"), call.axes(ends, "ends"), call.axes(axes)]


@lift("Split", last=17)
def split(call: Call) -> None:
    sizes = call.ints("split")
    if sizes is not None:
        call.inputs.append(call.axes(sizes, "split"))
    if not call.input(1):
        call.attributes["num_outputs"] = len(call.outputs)


@lift("Pad", last=10)
def pad(call: Call) -> None:
    pads, old = call.ints("pads"), call.ints("paddings")
    pads = old if pads is None else pads
    if pads is None:
        raise call.refusal("it must be given", attribute="pads")
    value = call.take("value", 0.0)
    call.inputs.append(call.axes(pads, "pads"))
    if value:
        call.inputs.append(call.constant(value, call.dtype(), "value"))


@lift("TopK", last=9)
def top_k(call: Call) -> None:
    k = call.take("k")
    if k is None:
        raise call.refusal("it must be given", attribute="k")
    call.inputs.append(call.axes([k], "k"))


@lift("Tile", last=5)
def tile(call: Call) -> None:
    tiles, axis, rank = call.value(1), call.value(2), call.fact(0).rank
    if tiles is None or axis is None or rank is None:
        raise call.refusal("tiles, axis and the rank of the input must be known", remedy="export to opset 6 or newer")
    repeats = np.ones(rank, np.int64)
    repeats[int(axis.item())] = int(tiles.item())
    call.inputs[1:] = [call.axes(repeats.tolist(), "repeats")]


@lift("Crop")
def crop(call: Call) -> None:
    """border (left, top, right, bottom) is cut off; with scale (h, w), so much is kept after the left and top border.

    Source: an experimental operator of opset 1.
    """
    border, scale = call.ints("border"), call.ints("scale")
    if border is None or len(border) != 4:
        raise call.refusal("it must be four integers: left, top, right, bottom", attribute="border")
    left, top, right, bottom = border
    ends = [-bottom or END, -right or END] if not scale else [top + scale[0], left + scale[1]]
    bounds = [call.axes([top, left], "starts"), call.axes(ends, "ends"), call.axes([2, 3])]
    call.emit("Slice", [call.required(0), *bounds], call.outputs)
