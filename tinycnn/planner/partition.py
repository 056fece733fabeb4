"""Cuts a graph into stretches that run natively and nodes that run in Python, as few cuts as the order allows."""

from collections.abc import Iterable
from dataclasses import dataclass

from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.planner.lower import Options, make_request
from tinycnn.planner.select import offers


@dataclass(frozen=True)
class Stretch:
    """A graph of which every node has a kernel and every value a spec."""

    graph: Graph


@dataclass(frozen=True)
class Call:
    """A node that its reference computes, in Python."""

    node: Node


@dataclass(frozen=True)
class Rest:
    """Nodes whose shapes depend on what the parts before compute; planned when that is known."""

    graph: Graph


Part = Stretch | Call | Rest
STRINGS = "OSU"  # kinds of dtypes of which an arena holds nothing


def has_kernel(graph: Graph, node: Node, options: Options) -> bool:
    values = [name for name in (*node.inputs, *node.outputs) if name]
    if any(name not in graph.specs and name not in graph.constants for name in values):
        return False
    specs = [graph.specs[name] for name in values if name in graph.specs]
    if any(not spec.is_static or 0 in spec.dims or spec.dtype.kind in STRINGS for spec in specs):
        return False
    request = make_request(graph, node, dict.fromkeys(node.inputs, "plain"), options)
    return next(offers(request), None) is not None


def infer_missing(graph: Graph) -> Graph:
    """Specs for all values that follow from the inputs'."""
    known = {name: spec for name, spec in graph.inputs.items() if not spec.is_unknown}
    specs: dict[str, TensorSpec] = {**graph.specs, **known}
    for node in graph.nodes:
        if all(name in specs for name in node.outputs if name):
            continue
        inputs = [_spec(graph, specs, name) for name in node.inputs]
        if any(name and spec is None for name, spec in zip(node.inputs, inputs, strict=True)):
            continue
        found = node.op.infer(inputs, [graph.constant(name) for name in node.inputs])
        if found is not None:
            specs.update((name, spec) for name, spec in zip(node.outputs, found, strict=False) if name)
    return graph.replace(specs=specs)


def _spec(graph: Graph, specs: dict[str, TensorSpec], name: str) -> TensorSpec | None:
    constant = graph.constant(name)
    return TensorSpec.of(constant) if constant is not None else specs.get(name)


def partition(graph: Graph, options: Options) -> list[Part]:
    """Parts in an order in which they can run; native nodes are gathered into as few stretches as possible."""
    graph = infer_missing(graph)
    level: dict[str, int] = {}
    by_call: set[str] = set()
    unknown: set[str] = set()
    stretches: dict[int, list[Node]] = {}
    calls: dict[int, list[Node]] = {}
    rest: list[Node] = []
    for node in graph.nodes:
        inputs = [name for name in node.inputs if name]
        if any(name in unknown for name in inputs):
            rest.append(node)
            unknown.update(node.outputs)
            continue
        native = has_kernel(graph, node, options)
        after = [level.get(name, 0) + (1 if native and name in by_call else 0) for name in inputs]
        at = max(after, default=0)
        (stretches if native else calls).setdefault(at, []).append(node)
        for name in filter(None, node.outputs):
            level[name] = at
            if not native:
                by_call.add(name)
                if name not in graph.specs:
                    unknown.add(name)
    return list(assemble(graph, stretches, calls, rest))


def assemble(
    graph: Graph, stretches: dict[int, list[Node]], calls: dict[int, list[Node]], rest: list[Node]
) -> Iterable[Part]:
    home = {id(node): at for at, nodes in stretches.items() for node in nodes}
    readers = graph.consumers()
    for at in sorted({*stretches, *calls}):
        nodes = stretches.get(at, [])
        if nodes:
            made = {name for node in nodes for name in node.outputs if name}
            wanted = [
                name
                for name in dict.fromkeys(name for node in nodes for name in node.outputs if name)
                if name in graph.outputs or any(home.get(id(r)) != at for r in readers.get(name, []))
            ]
            yield Stretch(subgraph(graph, nodes, made, tuple(wanted)))
        for node in calls.get(at, []):
            yield Call(node)
    if rest:
        made = {name for node in rest for name in node.outputs if name}
        outputs = tuple(name for name in graph.outputs if name in made)
        known = subgraph(graph, rest, made, outputs)
        yield Rest(known.replace(specs={k: v for k, v in known.specs.items() if k not in made}))


def subgraph(graph: Graph, nodes: list[Node], made: set[str], outputs: tuple[str, ...]) -> Graph:
    read = dict.fromkeys(name for node in nodes for name in node.inputs if name)
    inputs = {name: graph.specs.get(name, TensorSpec.unknown()) for name in read if name not in made}
    inputs = {name: spec for name, spec in inputs.items() if name not in graph.constants}
    constants = {name: graph.constants[name] for name in read if name in graph.constants}
    return graph.replace(inputs=inputs, outputs=outputs, nodes=tuple(nodes), constants=constants, report=())
