"""Attributes of sliding windows: kernel_shape, auto_pad, output_shape."""

from collections.abc import Sequence

from tinycnn.converters.onnx.call import Call
from tinycnn.converters.onnx.lifts.registry import lift
from tinycnn.ops.window import SAME, split_pads


def kernel_of(call: Call, weights: int) -> list[int] | None:
    """The window's size, which a convolution's attribute may repeat; None when the weights are not constant."""
    said = call.ints("kernel_shape")
    w = call.value(weights)
    if w is None:
        return said
    if said is not None and said != list(w.shape[2:]):
        raise call.refusal(f"{said} contradicts weights of shape {list(w.shape)}", attribute="kernel_shape")
    return list(w.shape[2:])


def resolve_auto_pad(call: Call, kernel: Sequence[int] | None) -> None:
    """Turns auto_pad into pads where they do not depend on the input's size; else the operator keeps it.

    SAME gives ceil(in / s) positions. With s = 1 that takes d (k - 1) elements of padding, whatever the size; the odd
    one goes to the end (SAME_UPPER) or to the begin.
    """
    auto_pad = call.take("auto_pad", "NOTSET")
    if auto_pad in ("NOTSET", ""):
        return
    if any(call.ints("pads") or ()):
        raise call.refusal(f"pads are given although auto_pad is {auto_pad}", attribute="pads")
    if auto_pad == "VALID":
        return
    if auto_pad not in SAME:
        raise call.refusal(f"{auto_pad!r} is not defined", attribute="auto_pad")
    strides = call.attributes.get("strides") or ()
    if kernel is None or any(s != 1 for s in strides):
        call.attributes["auto_pad"] = auto_pad
        return
    dilations = call.attributes.get("dilations") or (1,) * len(kernel)
    if len(dilations) != len(kernel):
        raise call.refusal(f"{dilations} does not fit a kernel of {len(kernel)} axes", attribute="dilations")
    call.attributes["pads"] = split_pads([d * (k - 1) for k, d in zip(kernel, dilations, strict=True)], auto_pad)


@lift("Conv")
def conv(call: Call) -> None:
    resolve_auto_pad(call, kernel_of(call, 1))


@lift("MaxPool", "AveragePool", "LpPool")
def pool(call: Call) -> None:
    kernel = call.attributes.get("kernel_shape")
    if not kernel:
        raise call.refusal("it must be given", attribute="kernel_shape")
    resolve_auto_pad(call, kernel)


@lift("LpPool", "GlobalLpPool", last=1)
def lp_norm(call: Call) -> None:
    """p was a float."""
    p = call.attributes.get("p", 2.0)
    if p != int(p):
        raise call.refusal(f"{p} is not an integer", attribute="p")
    call.attributes["p"] = int(p)


@lift("GlobalLpPool")
def global_lp_pool(call: Call) -> None:
    """(sum |x|^p)^(1 / p) over the spatial axes."""
    x, p, rank = call.required(0), call.take("p", 2), call.fact(0).rank
    if rank is None:
        raise call.refusal("the rank of its input must be known", remedy="declare the input's shape")
    axes = call.axes(range(2, rank))
    if p in (1, 2):
        call.emit(f"ReduceL{p}", [x, axes], call.outputs)
        return
    power = call.emit("Pow", [call.emit("Abs", [x]), call.constant(p, call.dtype(), "p")], role="power")
    total = call.emit("ReduceSum", [power, axes], role="total")
    call.emit("Pow", [total, call.constant(1 / p, call.dtype(), "root")], call.outputs)


@lift("ConvTranspose")
def conv_transpose(call: Call) -> None:
    """output_shape and SAME take the place of pads; VALID says that there are none."""
    kernel_of(call, 1)
    auto_pad = call.take("auto_pad", "NOTSET")
    if auto_pad in SAME:
        call.attributes["auto_pad"] = auto_pad
    elif auto_pad not in ("NOTSET", "", "VALID"):
        raise call.refusal(f"{auto_pad!r} is not defined", attribute="auto_pad")
    if auto_pad not in ("NOTSET", "") or call.attributes.get("output_shape"):
        call.take("pads")
