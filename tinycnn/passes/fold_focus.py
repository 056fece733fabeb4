"""Convolves where every second pixel was gathered into channels first."""

from dataclasses import replace

import numpy as np

from tinycnn.ir import Graph, Node
from tinycnn.ops.concat import Concat
from tinycnn.ops.conv import Conv
from tinycnn.ops.slice import Slice
from tinycnn.passes.rewriter import Rewriter

END = 1 << 31  # exporters write this, less one or more, for "to the end"


def fold_focus(graph: Graph) -> Graph:
    """A convolution over four interleaved quarters of an image is one with twice the kernel and stride over the image.

    Before
        a = Slice(x, ...)                        rows 0, 2, ..., columns 0, 2, ...
        b = Slice(x, ...)                        rows 1, 3, ..., columns 0, 2, ...
        c = Slice(x, ...)                        rows 0, 2, ..., columns 1, 3, ...
        d = Slice(x, ...)                        rows 1, 3, ..., columns 1, 3, ...
        e = Concat[axis=1](a, b, c, d)
        y = Conv[pads=(1, 1, 1, 1)](e, w)        w: float32[8x12x3x3]
    After
        y = Conv[strides=(2, 2), pads=(2, 2, 2, 2)](x, w)      w: float32[8x3x6x6]

    The quarters in any order, if nothing else reads `e`. Numerics: rounding; the products are the same.

    Source: the "Focus" layer of YOLOv5 (Jocher et al.) and YOLOX (Ge et al., arXiv:2107.08430).
    """
    edit = Rewriter(graph)
    for node in edit:
        before = edit.sole(node.inputs[0]) if isinstance(node.op, Conv) else None
        found = quarters(edit, before) if before is not None else None
        w = edit.constant(node.inputs[1]) if found else None
        if before is None or found is None or w is None or w.ndim != 4 or not is_plain(node.op) or w.shape[1] % 4:
            edit.keep(node)
            continue
        assert isinstance(node.op, Conv)
        x, offsets = found
        co, ci, kh, kw = w.shape
        wide = np.empty((co, ci // 4, 2 * kh, 2 * kw), w.dtype)
        for (row, column), part in zip(offsets, np.split(w, 4, axis=1), strict=True):
            wide[:, :, row::2, column::2] = part
        op = replace(
            node.op,
            strides=tuple(2 * s for s in node.op.strides or (1, 1)),
            pads=tuple(2 * p for p in node.op.pads),
        )
        edit.replace(node, op, (x, edit.change(node.inputs[1], wide), *node.inputs[2:]), before)
        edit.log(before, "folded", f"into Conv {node.name!r}")
    return edit.finish()


def is_plain(op: object) -> bool:
    return isinstance(op, Conv) and op.group == 1 and all(d == 1 for d in op.dilations)


def quarters(edit: Rewriter, node: Node) -> tuple[str, list[tuple[int, int]]] | None:
    """The image, and the first row and column of each of the four quarters that a Concat joins."""
    if not isinstance(node.op, Concat) or node.op.axis != 1 or len(node.inputs) != 4:
        return None
    found = [every_second(edit, value) for value in node.inputs]
    images = {image for image, starts in found}
    offsets = [(starts[2], starts[3]) for image, starts in found if starts.keys() == {2, 3}]
    return (images.pop(), offsets) if len(images) == 1 and len(set(offsets)) == 4 else None


def every_second(edit: Rewriter, value: str) -> tuple[str, dict[int, int]]:
    """What is behind one or two Slices with step 2, and where they start along which axis."""
    starts: dict[int, int] = {}
    for _ in range(2):
        node = edit.producer(value)
        parameters = [edit.constant(name) for name in node.inputs[1:]] if node is not None else []
        if node is None or not isinstance(node.op, Slice) or len(parameters) != 4 or any(p is None for p in parameters):
            break
        rows = list(zip(*(p.reshape(-1).tolist() for p in parameters if p is not None), strict=False))
        if not all(start in (0, 1) and end >= END - 2 and step == 2 for start, end, _, step in rows):
            break
        starts.update((axis, start) for start, _, axis, _ in rows)
        value = node.inputs[0]
    return edit.name(value), starts
