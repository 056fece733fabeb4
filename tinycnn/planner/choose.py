"""What computes each node of a graph: its request, as kernel families take it, and their best choice."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tinycnn.errors import ProgramError
from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.kernels.lowering import Choice, Layout, Request, Target
from tinycnn.planner.select import Selection
from tinycnn.planner.tuned import Tuned


@dataclass(frozen=True)
class Options:
    """What the user decides about a plan.

    algorithms  node name -> algorithm; under "" for all convolutions
    tuned       what was measured on this machine: see `select`
    """

    target: Target
    threads: int
    algorithms: Mapping[str, str] = field(default_factory=dict)
    tuned: Mapping[str, Tuned] = field(default_factory=dict)


def make_request(graph: Graph, node: Node, layouts: Mapping[str, Layout], options: Options) -> Request:
    def spec(name: str) -> TensorSpec | None:
        if not name:
            return None
        constant = graph.constant(name)
        return TensorSpec.of(constant) if constant is not None else graph.specs[name]

    return Request(
        node,
        [spec(name) for name in node.inputs],
        [graph.specs[name] for name in node.outputs if name],
        [graph.constant(name) for name in node.inputs],
        [layouts.get(name) for name in node.inputs],
        options.target,
        options.threads,
    )


def choose(graph: Graph, options: Options) -> list[tuple[Request, Choice]]:
    """What computes each node of a graph whose specs are all known and whose nodes all have kernels, in order."""
    layouts: dict[str, Layout] = dict.fromkeys(graph.inputs, "plain")
    selection = Selection(options.algorithms, options.tuned)
    chosen: list[tuple[Request, Choice]] = []
    for node in graph.nodes:
        request = make_request(graph, node, layouts, options)
        choice = selection.of(request)
        if choice is None:
            raise ProgramError(f"{node.kind} {node.name!r} has no kernel")
        chosen.append((request, choice))
        layouts.update(dict.fromkeys(filter(None, node.outputs), choice.output))
    return chosen
