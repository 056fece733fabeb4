"""Pooling over windows in numbers, whatever platform computes it."""

from typing import Literal

from tinycnn.kernels.convolution import pair, steps
from tinycnn.kernels.lowering import Request, can_block

Function = Literal["max", "avg"]

# Taps in the first ct rows above, cb below, cl left and cr right of the image count for an average, as zeros.
GEOMETRY = "h w oh ow kh kw sh sw dh dw pt:signed pl:signed ct cl cb cr"


def function(r: Request) -> Function:
    return "max" if r.node.kind in ("MaxPool", "GlobalMaxPool") else "avg"


def geometry(r: Request) -> dict[str, int] | None:
    """Values of the fields GEOMETRY of a MaxPool or AveragePool.

    None unless the input is f32, 1-d or 2-d, no axis is empty, and the indices of the maxima are not wanted.
    """
    x, y, op = r.inputs[0], r.outputs[0], r.op
    if not can_block(x) or x is None or 0 in x.dims or 0 in y.dims or any(r.node.outputs[1:]):
        return None
    pads = op.pads or (0,) * 4
    pt, pl, pb, pr = pads if len(pads) == 4 else (0, pads[0], 0, pads[1])
    h, w = (1, *x.dims[2:])[-2:]
    oh, ow = (1, *y.dims[2:])[-2:]
    kh, kw = pair(op.kernel_shape, 1)
    sh, sw = steps(op.strides, (oh, ow))
    dh, dw = steps(op.dilations, (kh, kw))
    counted = (pt, pl, pb, pr) if function(r) == "avg" and op.count_include_pad else (0, 0, 0, 0)
    sizes = {"h": h, "w": w, "oh": oh, "ow": ow, "kh": kh, "kw": kw, "sh": sh, "sw": sw, "dh": dh, "dw": dw}
    return sizes | {"pt": pt, "pl": pl} | dict(zip(("ct", "cl", "cb", "cr"), counted, strict=True))
