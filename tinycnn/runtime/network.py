"""A graph that runs: one plan for each combination of input shapes, the least recently used forgotten."""

import collections
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinycnn import knobs, passes
from tinycnn.errors import TinyCnnError
from tinycnn.ir import Graph, Node
from tinycnn.passes.bind import bind
from tinycnn.planner.lower import Options, write
from tinycnn.planner.partition import Call, Rest, partition
from tinycnn.planner.weights import WeightStore
from tinycnn.runtime.executor_cpu import Executor

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Plan:
    """What runs, in order: native stretches, nodes in Python, and a network for what could not be planned yet."""

    graph: Graph
    parts: "tuple[Executor | Node | Network, ...]"

    def run(self, values: Arrays) -> list[np.ndarray]:
        """The graph's outputs. values: the feeds by name."""
        first = self.parts[0] if self.parts else None
        if len(self.parts) == 1 and isinstance(first, Executor):
            if tuple(port.name for port in first.program.outputs) == self.graph.outputs:
                return first.run([values[name] for name in first.input_names])
        values = dict(values)
        for part in self.parts:
            if isinstance(part, Executor):
                results = part.run([values[name] for name in part.input_names])
                values.update(zip((port.name for port in part.program.outputs), results, strict=True))
            elif isinstance(part, Node):
                values.update(call(part, values, self.graph.constants))
            else:
                feeds = {name: values[name] for name in part.graph.inputs}
                values.update(zip(part.graph.outputs, part.run(feeds), strict=True))
        constants = self.graph.constants
        return [values[name] if name in values else constants[name].copy() for name in self.graph.outputs]


def call(node: Node, values: Arrays, constants: Mapping[str, np.ndarray]) -> Arrays:
    """A node's outputs by its reference. Raises TinyCnnError naming the node when the reference fails."""
    inputs = [None if not name else values[name] if name in values else constants[name] for name in node.inputs]
    try:
        results = node.op.reference(*inputs)
    except TinyCnnError:
        raise
    except Exception as error:
        raise TinyCnnError(f"{node.kind} {node.name!r} failed: {error}") from error
    return {name: np.asarray(y) for name, y in zip(node.outputs, results, strict=False) if name}


class Network:
    """Plans and runs one graph. Safe to use from many threads."""

    def __init__(self, graph: Graph, options: Options, store: WeightStore | None = None, kept: int | None = None):
        self.graph, self.options = graph, options
        self.store = store or WeightStore()
        self.kept = kept or knobs.PLANS.get()
        self.plans: collections.OrderedDict[object, Plan] = collections.OrderedDict()
        self.lock, self.planning = threading.Lock(), threading.Lock()

    def plan(self, shapes: Mapping[str, tuple[int, ...]]) -> Plan:
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

    def make_plan(self, shapes: Mapping[str, tuple[int, ...]]) -> Plan:
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

    def run(self, feeds: Arrays) -> list[np.ndarray]:
        """Outputs of the graph. feeds: by name, in the order of the graph's inputs, with their dtypes."""
        return self.plan({name: feeds[name].shape for name in self.graph.inputs}).run(feeds)
