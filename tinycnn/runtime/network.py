"""A graph that runs: one plan for each combination of input shapes, the least recently used forgotten."""

import collections
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinycnn import knobs, passes
from tinycnn.errors import TinyCnnError
from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.passes.bind import Shape, bind
from tinycnn.planner.lower import Options, write
from tinycnn.planner.partition import Call, Rest, partition
from tinycnn.planner.weights import WeightStore
from tinycnn.runtime.executor_cpu import Executor

# What values hold: arrays, lists of such for sequences, None for an optional value that is absent.
Arrays = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What runs, in order: native stretches, nodes in Python, and a network for what could not be planned yet."""

    graph: Graph
    parts: "tuple[Executor | Node | Network, ...]"

    def run(self, values: Arrays) -> list[Any]:
        """The graph's outputs. values: the feeds by name."""
        first = self.parts[0] if self.parts else None
        if len(self.parts) == 1 and isinstance(first, Executor):
            if tuple(port.name for port in first.program.outputs) == self.graph.outputs:
                return first.run([values[name] for name in first.input_names])
        feeds, values = values, dict(values)
        for part in self.parts:
            if isinstance(part, Executor):
                results = part.run([values[name] for name in part.input_names])
                values.update(zip((port.name for port in part.program.outputs), results, strict=True))
            elif isinstance(part, Node):
                values.update(call(part, values, self.graph.constants))
            else:
                feeds = {name: values[name] for name in part.graph.inputs}
                values.update(zip(part.graph.outputs, part.run(feeds), strict=True))
        values = {**self.graph.constants, **values}
        return [owned(values[name], feeds.get(name)) for name in self.graph.outputs]


def owned(value: Any, feed: Any) -> Any:
    """The value, copied where the caller's own array or a constant would be handed out."""
    if not isinstance(value, np.ndarray):
        return value
    return value if value.flags.owndata and value.flags.writeable and value is not feed else value.copy()


def call(node: Node, values: Arrays, constants: Mapping[str, np.ndarray]) -> Arrays:
    """A node's outputs by its reference. Raises TinyCnnError naming the node when the reference fails."""
    inputs = [None if not name else values[name] if name in values else constants[name] for name in node.inputs]
    try:
        results = node.op.reference(*inputs)
    except TinyCnnError:
        raise
    except Exception as error:
        raise TinyCnnError(f"{node.kind} {node.name!r} failed: {error}") from error
    named = {name: y for name, y in zip(node.outputs, results, strict=False) if name}
    return {name: y if y is None or isinstance(y, list) else np.asarray(y) for name, y in named.items()}


class Network:
    """Plans and runs one graph. Safe to use from many threads."""

    def __init__(self, graph: Graph, options: Options, store: WeightStore | None = None, kept: int | None = None):
        self.graph, self.options = graph, options
        self.store = store or WeightStore()
        self.kept = kept or knobs.PLANS.get()
        self.plans: collections.OrderedDict[object, Plan] = collections.OrderedDict()
        self.lock, self.planning = threading.Lock(), threading.Lock()
        self.known = not any(spec.is_unknown for spec in graph.inputs.values())

    def plan(self, shapes: Mapping[str, Shape]) -> Plan:
        """The plan for these input shapes, made if there is none.

        Raises ShapeError when the shapes contradict the graph, LimitError when the plan would need too much memory.
        """
        key = tuple(shapes.values())
        plan = self.recall(key)
        if plan is None:
            with self.planning:
                plan = self.recall(key)
                if plan is None:
                    plan = self.make_plan(shapes)
                    with self.lock:
                        self.plans[key] = plan
                        while len(self.plans) > self.kept:
                            self.plans.popitem(last=False)
        return plan

    def recall(self, key: object) -> Plan | None:
        with self.lock:
            if key not in self.plans:
                return None
            self.plans.move_to_end(key)
            return self.plans[key]

    def make_plan(self, shapes: Mapping[str, Shape]) -> Plan:
        graph = passes.run(bind(self.graph, shapes), passes.BIND)
        parts: list[Executor | Node | Network] = []
        for part in partition(graph, self.options):
            if isinstance(part, Call):
                parts.append(part.node)
            elif isinstance(part, Rest):
                parts.append(Network(part.graph, self.options, self.store, self.kept))
            else:
                parts.append(Executor(write(part.graph, self.options, self.store)))
        return Plan(graph, tuple(parts))

    def run(self, feeds: Arrays) -> list[Any]:
        """Outputs of the graph. feeds: by name, in the order of the graph's inputs, with their dtypes."""
        if self.known:
            return self.plan({name: feeds[name].shape for name in self.graph.inputs}).run(feeds)
        return self.plan({name: shape_of(feeds[name], spec) for name, spec in self.graph.inputs.items()}).run(feeds)


def shape_of(value: Any, declared: TensorSpec) -> Shape:
    """What a plan needs to be told of a value."""
    if not isinstance(value, np.ndarray):
        return None
    return TensorSpec.of(value) if declared.is_unknown else value.shape
