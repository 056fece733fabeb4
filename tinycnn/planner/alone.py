"""One node by itself: what a choice costs can be measured on it."""

from tinycnn.ir import Graph
from tinycnn.kernels.lowering import Choice, Request
from tinycnn.planner.choose import Options
from tinycnn.planner.emitter import write_node
from tinycnn.planner.lower import feed, finish
from tinycnn.planner.program import Program
from tinycnn.planner.weights import WeightStore
from tinycnn.planner.writer import Writer


def write_alone(request: Request, choice: Choice, store: WeightStore) -> Program:
    """The verified program of one node, with the reorders that its choice needs. It begins with inputs in the layouts
    that the request tells, whose feeds are arrays of that layout, and hands out nothing. Feeds are copied: a copy is as
    near as what the layer before has written."""
    node, values = request.node, dict(zip(request.node.inputs, request.values, strict=True))
    specs = dict(zip(filter(None, node.outputs), request.outputs, strict=True))
    constants = {name: value for name, value in values.items() if value is not None}
    read = {
        name: (spec, layout)
        for name, spec, layout in zip(node.inputs, request.inputs, request.layouts, strict=True)
        if spec is not None and layout is not None and name not in constants
    }
    graph = Graph({name: spec for name, (spec, _) in read.items()}, tuple(specs), (node,), constants, specs)
    writer = Writer(graph, Options(request.target, request.threads), store, {})
    inputs = [feed(writer, name, spec, layout) for name, (spec, layout) in read.items()]
    write_node(writer, request, choice)
    return finish(writer, inputs, [])
