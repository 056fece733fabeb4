"""Cuts a graph into stretches that run natively and nodes that run in Python, as few cuts as the order allows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.planner.choose import Options, make_request
from tinycnn.planner.select import offers


@dataclass(frozen=True)
class Stretch:
    """A graph of which every node has a kernel and every value a spec, and what it is planned for."""

    graph: Graph
    options: Options


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


def partition(graph: Graph, options: Sequence[Options]) -> list[Part]:
    """Parts in an order in which they can run; native nodes are gathered into as few stretches as possible.

    options  for each target that may compute nodes, the preferred one first; what none can is left to Python
    """
    graph = infer_missing(graph)
    level: dict[str, int] = {}
    homes: dict[str, int] = {}  # value -> number of the target that computes it; Python's comes last
    unknown: set[str] = set()
    levels: dict[int, dict[int, list[Node]]] = {}  # level -> home -> nodes; homes of a level run in their order
    rest: list[Node] = []
    python = len(options)
    for node in graph.nodes:
        inputs = [name for name in node.inputs if name]
        if any(name in unknown for name in inputs):
            rest.append(node)
            unknown.update(node.outputs)
            continue
        home = next((i for i, o in enumerate(options) if has_kernel(graph, node, o)), python)
        after = [level.get(name, 0) + (1 if home < homes.get(name, 0) else 0) for name in inputs]
        at = max(after, default=0)
        levels.setdefault(at, {}).setdefault(home, []).append(node)
        for name in filter(None, node.outputs):
            level[name], homes[name] = at, home
            if home == python and name not in graph.specs:
                unknown.add(name)
    return list(assemble(graph, levels, options, rest))


def assemble(
    graph: Graph, levels: dict[int, dict[int, list[Node]]], options: Sequence[Options], rest: list[Node]
) -> Iterable[Part]:
    place = {id(node): (at, home) for at, homes in levels.items() for home, nodes in homes.items() for node in nodes}
    readers = graph.consumers()
    for at in sorted(levels):
        for home, nodes in sorted(levels[at].items()):
            if home == len(options):
                yield from (Call(node) for node in nodes)
                continue
            made = list(dict.fromkeys(name for node in nodes for name in node.outputs if name))
            wanted = [
                name
                for name in made
                if name in graph.outputs or any(place.get(id(r)) != (at, home) for r in readers.get(name, []))
            ]
            yield Stretch(subgraph(graph, nodes, set(made), tuple(wanted)), options[home])
    if rest:
        left = {name for node in rest for name in node.outputs if name}
        outputs = tuple(name for name in graph.outputs if name in left)
        known = subgraph(graph, rest, left, outputs)
        yield Rest(known.replace(specs={k: v for k, v in known.specs.items() if k not in left}))


def subgraph(graph: Graph, nodes: list[Node], made: set[str], outputs: tuple[str, ...]) -> Graph:
    read = dict.fromkeys(name for node in nodes for name in node.inputs if name)
    inputs = {name: graph.specs.get(name, TensorSpec.unknown()) for name in read if name not in made}
    inputs = {name: spec for name, spec in inputs.items() if name not in graph.constants}
    constants = {name: graph.constants[name] for name in read if name in graph.constants}
    return graph.replace(inputs=inputs, outputs=outputs, nodes=tuple(nodes), constants=constants, report=())
