"""Moves shuffles of channels to where there is less to move."""

import math

import numpy as np

from tinycnn.ir import Graph, Node
from tinycnn.ops.channel_shuffle import ChannelShuffle
from tinycnn.ops.conv import Conv
from tinycnn.passes.rewriter import Rewriter


def shuffle_later(graph: Graph) -> Graph:
    """A strided depthwise convolution shrinks what a shuffle before it has to move: so the shuffle follows it.

    Before, with x: float32[1x6x8x8]
        a = ChannelShuffle[group=2](x)
        y = Conv[strides=(2, 2), pads=(1, 1, 1, 1), group=6](a, w, b)
    After
        a = Conv[strides=(2, 2), pads=(1, 1, 1, 1), group=6](x, w.unshuffled, b.unshuffled)
        y = ChannelShuffle[group=2](a)

    The weights go with their channels. If nothing else reads `a`. Needs shapes: runs after `bind`. Numerics: exact.
    """
    edit = Rewriter(graph)
    for node in edit:
        shuffle = edit.sole(node.inputs[0]) if shrinks(edit, node) else None
        if shuffle is not None and isinstance(shuffle.op, ChannelShuffle):
            swap(edit, shuffle, node)
        else:
            edit.keep(node)
    return edit.finish()


def shrinks(edit: Rewriter, node: Node) -> bool:
    """Whether it is a strided convolution of each channel by itself, with known weights."""
    if not isinstance(node.op, Conv) or math.prod(node.op.strides) == 1 or any(node.inputs[3:]):
        return False
    w = edit.constant(node.inputs[1])
    known = all(edit.constant(name) is not None for name in node.inputs[1:] if name)
    return known and w is not None and w.shape[:2] == (node.op.group, 1)


def swap(edit: Rewriter, shuffle: Node, conv: Node) -> None:
    (y,) = conv.outputs
    assert isinstance(conv.op, Conv)
    (shuffled,) = shuffle.op.reference(np.arange(conv.op.group).reshape(1, -1))
    order = np.argsort(shuffled[0])
    constants = [
        name and edit.add(f"{name}.unshuffled", edit.constants[edit.name(name)][order]) for name in conv.inputs[1:]
    ]
    for node in (shuffle, conv):
        edit.drop(node)
    between = edit.value(f"{y}.unshuffled", edit.specs.get(y))
    edit.write(Node(conv.op, (shuffle.inputs[0], *constants), (between,), conv.name))
    edit.write(Node(shuffle.op, (between,), conv.outputs, shuffle.name))
    edit.log(shuffle, "moved", f"behind Conv {conv.name!r}")
