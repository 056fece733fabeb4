"""The invariants of a graph, checked after import and after every pass."""

from tinycnn.errors import GraphError
from tinycnn.ir.graph import Graph


def verify(graph: Graph, after: str = "import") -> Graph:
    """Returns the graph itself.

    Raises GraphError when a value is read before it is defined (which a cycle also shows as), defined twice,
    or promised as an output and never computed. `after` names the pass in the message.
    """
    defined = {*graph.inputs, *graph.constants}
    clash = set(graph.inputs).intersection(graph.constants)
    if clash:
        raise GraphError(f"after {after}: {sorted(clash)[0]!r} is both an input and a constant")
    for node in graph.nodes:
        for value in node.inputs:
            if value and value not in defined:
                raise GraphError(
                    f"after {after}: {node.kind} {node.name!r} reads {value!r}, which nothing before it defines"
                )
        for value in node.outputs:
            if value in defined:
                raise GraphError(f"after {after}: {node.kind} {node.name!r} defines {value!r} a second time")
            if value:
                defined.add(value)
    for value in graph.outputs:
        if value not in defined:
            raise GraphError(f"after {after}: output {value!r} is never computed")
    return graph
