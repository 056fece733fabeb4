"""Concats that cost nothing: branches are computed into their part of the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinycnn.ir import Graph, TensorSpec
from tinycnn.kernels.lowering import Choice, Layout, Request


@dataclass(frozen=True)
class Part:
    """A value that lives `offset` bytes into the value `whole`, whose spec is `spec`."""

    whole: str
    spec: TensorSpec
    layout: Layout
    offset: int


Parts = Mapping[str, Part]


def find_parts(graph: Graph, chosen: Sequence[tuple[Request, Choice]]) -> Parts:
    """Which values can be computed where a concat wants them.

    A value qualifies for one concat: it is computed here (no feed, no constant), in the concat's layout, and it is
    neither a view of another value nor has one, since a view shares the memory of its source.
    """
    home: dict[str, Layout] = {}
    shared: set[str] = set()
    for request, choice in chosen:
        outputs = [name for name in request.node.outputs if name]
        home.update(dict.fromkeys(outputs, choice.output))
        if choice.view is not None:
            shared.update([request.node.inputs[choice.view], *outputs])
    parts: dict[str, Part] = {}
    for request, choice in chosen:
        if choice.parts is None:
            continue
        whole = request.node.outputs[0]
        for name, offset in zip(request.node.inputs, choice.parts, strict=True):
            once = request.node.inputs.count(name) == 1
            if once and name not in parts and name not in shared and home.get(name) == choice.output:
                parts[name] = Part(whole, request.outputs[0], choice.output, offset)
    return parts
