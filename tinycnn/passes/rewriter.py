"""Writes a graph anew, node by node, in time linear in the number of nodes."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from tinycnn.ir import Action, Graph, Node, Operator, TensorSpec


class Rewriter:
    """A graph while a pass writes its successor.

    A pass walks `for node in rewriter` and keeps, fuses or drops each node; what it kept so far can be looked up by
    the values that it computes. Values of `graph.outputs` keep their names and their meaning.

    A pattern is matched from its last node backwards. The fused node is written where the last one stood: everything
    that the pattern reads is computed by then, and what it computes is read only later, so the order stays
    topological.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.outputs = frozenset(graph.outputs)
        self.constants = dict(graph.constants)
        self.specs = dict(graph.specs)
        self.report: list[Action] = []
        self.uses = Counter(graph.outputs)
        for node in graph.nodes:
            self.uses.update(node.inputs)
        self._written: list[Node | None] = []
        self._place: dict[str, int] = {}
        self._renamed: dict[str, str] = {}
        self._taken: set[str] | None = None
        self._changed = False

    def __iter__(self) -> Iterator[Node]:
        """The nodes of the graph in order, as they read after the changes so far."""
        for node in self.graph.nodes:
            yield self._now(node) if self._renamed else node

    def name(self, value: str) -> str:
        """What a value of the graph is called by now."""
        while value in self._renamed:
            value = self._renamed[value]
        return value

    def producer(self, value: str) -> Node | None:
        """The kept node that computes the value; None for inputs and constants."""
        place = self._place.get(self.name(value))
        return None if place is None else self._written[place]

    def sole(self, value: str) -> Node | None:
        """The node that computes the value if it is read exactly once and computes nothing else: it may be fused."""
        node = self.producer(value) if self.uses[self.name(value)] == 1 else None
        return node if node is not None and len(node.outputs) == 1 else None

    def position(self, value: str) -> int:
        """Where the value is computed in the order of kept nodes; -1 for inputs and constants."""
        return self._place.get(self.name(value), -1)

    def constant(self, value: str) -> np.ndarray | None:
        return self.constants.get(self.name(value)) if value else None

    def keep(self, node: Node) -> None:
        """Writes the node as it is."""
        for output in node.outputs:
            if output:
                self._place[output] = len(self._written)
        self._written.append(node)

    def write(self, node: Node) -> None:
        """Writes a node that was not in the graph, or not in this form."""
        self.uses.update(node.inputs)
        self.keep(node)
        self._changed = True

    def drop(self, node: Node) -> None:
        """Forgets a node, written or not. What it computed must be written otherwise."""
        self.uses.subtract(node.inputs)
        place = self._place.get(next(filter(None, node.outputs), ""))
        if place is not None and self._written[place] is node:
            self._written[place] = None
            for output in node.outputs:
                self._place.pop(output, None)
        self._changed = True

    def replace(self, node: Node, op: Operator, inputs: Sequence[str], *also: Node, name: str = "") -> Node:
        """Writes a node that computes what `node` computed, in its place and in that of the nodes that it makes
        needless."""
        written = Node(op, tuple(inputs), node.outputs, name or node.name)
        for gone in (node, *also):
            self.drop(gone)
        self.write(written)
        return written

    def amend(self, node: Node, op: Operator, inputs: Sequence[str]) -> None:
        """Gives a kept node another operator and other inputs, where it stands: constants, or values that it read."""
        place = self._place[next(filter(None, node.outputs))]
        self.uses.subtract(node.inputs)
        self.uses.update(inputs)
        self._written[place] = Node(op, tuple(inputs), node.outputs, node.name)
        self._changed = True

    def bypass(self, node: Node, value: str, takes_name: bool = False) -> None:
        """Drops a node whose only output equals `value`, which takes its name where that must survive, or on request
        wherever that is possible."""
        (output,) = node.outputs
        value = self.name(value)
        self.drop(node)
        movable = value not in self.outputs and value in self._place
        if output in self.outputs and not movable:
            self.write(node)
        elif output not in self.outputs and not (takes_name and movable):
            self._rename(output, value)
        else:
            place = self._place[value]
            producer = self._written[place]
            assert producer is not None
            self._rename(value, output)
            outputs = tuple(output if o == value else o for o in producer.outputs)
            self._written[place] = Node(producer.op, producer.inputs, outputs, producer.name)
            del self._place[value]
            self._place[output] = place

    def fold(self, node: Node, values: Sequence[np.ndarray]) -> None:
        """Drops a node whose outputs are these constants."""
        self.drop(node)
        self.constants.update((output, value) for output, value in zip(node.outputs, values, strict=False) if output)

    def add(self, wish: str, value: np.ndarray) -> str:
        """A new constant, called `wish` if nothing else is."""
        name = self.fresh(wish)
        self.constants[name] = value
        return name

    def change(self, constant: str, value: np.ndarray) -> str:
        """The name of a changed constant for the node that is being rewritten: its own where no other node reads it."""
        if self.uses[constant] != 1:
            return self.add(constant, value)
        self.constants[constant] = value
        return constant

    def fresh(self, wish: str) -> str:
        """A value name that was never in use, `wish` itself if possible."""
        if self._taken is None:
            made = (output for node in self.graph.nodes for output in node.outputs)
            self._taken = {*self.graph.inputs, *self.graph.constants, *self.graph.specs, *made}
        name, i = wish, 1
        while name in self._taken:
            name, i = f"{wish}.{i}", i + 1
        self._taken.add(name)
        return name

    def value(self, wish: str, spec: TensorSpec | None) -> str:
        """A fresh name for a value that a new node will compute."""
        name = self.fresh(wish)
        if spec is not None:
            self.specs[name] = spec
        return name

    def rank(self, value: str) -> int | None:
        """The rank of a value where it is known."""
        name = self.name(value)
        if name in self.constants:
            return self.constants[name].ndim
        spec = self.specs.get(name) or self.graph.inputs.get(name)
        return None if spec is None or spec.shape is None else len(spec.shape)

    def log(self, node: Node, what: str, detail: str = "") -> None:
        self.report.append(Action(node.name, node.kind, what, detail))

    def finish(self) -> Graph:
        """The graph as written, without what no output needs; the old one itself where nothing changed."""
        if not self._changed:
            return self.graph
        nodes = [node for node in self._written if node is not None]
        if self._renamed:
            nodes = [self._now(node) for node in nodes]
        return self.graph.replace(
            nodes=tuple(nodes),
            constants=self.constants,
            specs=self.specs,
            report=(*self.graph.report, *self.report),
        ).pruned()

    def _now(self, node: Node) -> Node:
        if self._renamed.keys().isdisjoint(node.inputs):
            return node
        return Node(node.op, tuple(map(self.name, node.inputs)), node.outputs, node.name)

    def _rename(self, old: str, new: str) -> None:
        """Lets every reader of `old` read `new`."""
        self._renamed[old] = new
        self.uses[new] += self.uses.pop(old, 0)
