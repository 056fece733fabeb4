"""A graph that runs: one plan for each combination of input shapes, the least recently used forgotten."""

import collections
import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tinycnn import knobs, passes
from tinycnn.errors import FeedError, Problem, TinyCnnError, UnsupportedModelError
from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.passes.bind import Shape, bind
from tinycnn.planner.choose import Options
from tinycnn.planner.lower import write
from tinycnn.planner.partition import Call, Part, Rest, Stretch, partition
from tinycnn.planner.select import families
from tinycnn.planner.weights import WeightStore
from tinycnn.runtime import executor_cpu
from tinycnn.runtime.device_array import describe, is_on_device
from tinycnn.stages import stage

if TYPE_CHECKING:
    from tinycnn.runtime import executor_cuda

    Executor = executor_cpu.Executor | executor_cuda.Executor

# What values hold: arrays, lists of such for sequences, None for an optional value that is absent.
Arrays = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What runs, in order: native stretches, nodes in Python, and a network for what could not be planned yet."""

    graph: Graph
    parts: "tuple[Executor | Node | Network, ...]"

    @functools.cached_property
    def executor(self) -> "Executor | None":
        """What runs all of it, if one does."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return None if isinstance(only, Node | Network) else only

    @functools.cached_property
    def is_whole(self) -> bool:
        """Whether the executor's outputs are the graph's."""
        executor = self.executor
        return executor is not None and tuple(port.name for port in executor.program.outputs) == self.graph.outputs

    def run(self, values: Arrays) -> list[Any]:
        """The graph's outputs. values: the feeds by name."""
        executor = self.executor
        if executor is None or not executor.on_device:
            for name, value in values.items():
                if is_on_device(value):
                    raise FeedError(
                        f"input {name!r} lies on a device, but not all of the model runs there: give it as an array of "
                        "the host"
                    )
        if self.is_whole and executor:
            return executor.run([values[name] for name in executor.input_names])
        feeds, values = values, dict(values)
        for part in self.parts:
            values.update(self.run_part(part, values))
        values = {**self.graph.constants, **values}
        return [owned(values[name], feeds.get(name)) for name in self.graph.outputs]

    def run_part(self, part: "Executor | Node | Network", values: Arrays) -> Arrays:
        """What one part computes, by name."""
        if isinstance(part, Node):
            return call(part, values, self.graph.constants)
        if isinstance(part, Network):
            results = part.run({name: values[name] for name in part.graph.inputs})
            return dict(zip(part.graph.outputs, results, strict=True))
        results = part.run([values[name] for name in part.input_names])
        return dict(zip((port.name for port in part.program.outputs), results, strict=True))


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


def must_run_native(options: Sequence[Options]) -> bool:
    """Whether the user asked for a device and did not allow the processor to stand in."""
    return all(o.target.platform != "cpu" for o in options)


def refuse(left: Sequence[Node], options: Sequence[Options]) -> None:
    """Raises UnsupportedModelError with all of these nodes, which no target computes."""
    target = options[0].target
    if left:
        reason = f"no kernel for this operator, dtype or shape on {target.platform} ({target.name})"
        remedy = "allow the processor to compute it: providers=['CUDAExecutionProvider', 'CPUExecutionProvider']"
        raise UnsupportedModelError(
            [Problem(node.name or node.outputs[0], node.kind, None, reason, "", remedy) for node in left]
        )


def nodes_of(part: Call | Rest) -> Sequence[Node]:
    return [part.node] if isinstance(part, Call) else part.graph.nodes


def executor(part: Stretch, store: WeightStore, spends: bool = False) -> "Executor":
    """The stretch, planned and bound to what it runs on. spends: see `write`."""
    program, target = write(part.graph, part.options, store, spends), part.options.target
    if target.platform == "cpu":
        return executor_cpu.Executor(program)
    from tinycnn.kernels.cuda.device import Device
    from tinycnn.kernels.cuda.driver import open_gpu
    from tinycnn.runtime import executor_cuda

    assert isinstance(target, Device)
    return executor_cuda.Executor(program, open_gpu(target.number))


class Network:
    """Plans and runs one graph, each node on the first of the targets that can. Safe to use from many threads.

    again  makes the graph once more, when a settled network's plan has spent its constants
    """

    def __init__(
        self, graph: Graph, options: Sequence[Options], store: WeightStore | None = None, kept: int | None = None,
        again: Callable[[], Graph] | None = None,
    ):  # fmt: skip
        self.graph, self.options, self.again = graph, tuple(options), again
        self.settled = self.released = False
        self.store = store or WeightStore()
        self.kept = kept or knobs.PLANS.get()
        self.plans: collections.OrderedDict[object, Plan] = collections.OrderedDict()
        self.lock, self.planning = threading.Lock(), threading.Lock()

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

    def settle(self) -> "Network | Plan":
        """What to run: the plan, where shapes allow but one, and the network else.

        The plan holds what it packs, so constants go one by one, and weights of large networks are in memory but once:
        whoever wants another plan waits for the graph to be made again.
        """
        inputs = self.graph.inputs
        if not all(spec.is_static for spec in inputs.values()):
            self.check()
            return self
        self.settled = self.again is not None
        return self.plan({name: spec.dims for name, spec in inputs.items()})

    @property
    def multiplies_bytes(self) -> bool:
        return all(o.target.multiplies_bytes for o in self.options)

    @property
    def fuses_expansion(self) -> bool:
        """Not where the user tells how convolutions are computed, each by itself."""
        return all(o.target.fuses_expansion and not o.algorithms for o in self.options)

    def whole(self) -> Graph:
        """The graph with its constants, which a settled network does not keep."""
        if self.released and self.again:
            return self.again()
        graph = self.graph
        if self.settled:
            self.graph, self.released = graph.replace(constants={}), True
        return graph

    def check(self) -> None:
        """Raises UnsupportedModelError with the nodes that no target computes, whatever the sizes of the inputs.

        What is shape arithmetic, and needs no kernel, is seen once the sizes are known: so some are assumed.
        """
        if not must_run_native(self.options):
            return
        shapes = {name: None if spec.is_unknown else typical(spec) for name, spec in self.graph.inputs.items()}
        try:
            graph = passes.run(bind(self.graph, shapes), passes.BIND)
        except TinyCnnError:
            return  # it does not take such sizes
        refuse([n for n in graph.nodes if not families(self.options[0].target.platform, n.kind)], self.options)

    def recall(self, key: object) -> Plan | None:
        with self.lock:
            if key not in self.plans:
                return None
            self.plans.move_to_end(key)
            return self.plans[key]

    def divide(self, shapes: Mapping[str, Shape]) -> tuple[Graph, list[Part]]:
        """The graph for these input shapes, and what of it runs where. Raises ShapeError when they contradict it."""
        products = passes.BYTES if self.multiplies_bytes else ()
        expansion = passes.EXPANSION if self.fuses_expansion else ()
        graph = passes.run(bind(self.whole(), shapes), (*passes.BIND, *products, *expansion))
        return graph, partition(graph, self.options)

    @stage("plan")
    def make_plan(self, shapes: Mapping[str, Shape]) -> Plan:
        graph, found = self.divide(shapes)
        whole = [isinstance(part, Stretch) and part.graph.outputs == graph.outputs for part in found]
        spends = self.settled and whole == [True]
        if spends:
            graph = graph.replace(constants={})
        parts: list[Executor | Node | Network] = []
        if must_run_native(self.options):
            left = [part for part in found if isinstance(part, Call | Rest)]
            refuse([node for part in left for node in nodes_of(part)], self.options)
        for part in found:
            if isinstance(part, Call):
                parts.append(part.node)
            elif isinstance(part, Rest):
                parts.append(Network(part.graph, self.options, self.store, self.kept))
            else:
                parts.append(executor(part, self.store, spends))
        plan = Plan(graph, tuple(parts))
        return Plan(graph.replace(constants={}), plan.parts) if plan.is_whole else plan

    def run(self, feeds: Arrays) -> list[Any]:
        """Outputs of the graph. feeds: by name, in the order of the graph's inputs, with their dtypes."""
        return self.plan({name: shape_of(feeds[name], spec) for name, spec in self.graph.inputs.items()}).run(feeds)


def typical(spec: TensorSpec) -> tuple[int, ...]:
    """The shape, with 1 for a symbolic first dimension and 224 for any other."""
    return tuple(d if isinstance(d, int) else (1 if i == 0 else 224) for i, d in enumerate(spec.shape or ()))


def shape_of(value: Any, declared: TensorSpec) -> Shape:
    """What a plan needs to be told of a value."""
    if isinstance(value, np.ndarray):
        return TensorSpec.of(value) if declared.is_unknown else value.shape
    return describe(value)[0] if is_on_device(value) else None
