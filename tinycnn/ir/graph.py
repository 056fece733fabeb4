"""A network as data: values by name, nodes in topological order, constants as arrays."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from tinycnn.ir.spec import TensorSpec


class Operator(Protocol):
    """What the graph needs of an operator; `tinycnn.ops` implements it."""

    @property
    def kind(self) -> str:
        """The operator's name, as ONNX spells it."""
        ...

    def infer(
        self, inputs: Sequence[TensorSpec | None], values: Sequence[np.ndarray | None]
    ) -> tuple[TensorSpec, ...] | None: ...

    def bound(self, inputs: Sequence[TensorSpec | None]) -> "Operator": ...

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]: ...


@dataclass(frozen=True)
class Node:
    """One application of an operator. An absent optional input or output is the empty name."""

    op: Operator
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    name: str = ""

    @property
    def kind(self) -> str:
        return self.op.kind


@dataclass(frozen=True)
class Action:
    """One line of the conversion report: what was done with a node ("folded", "fused", "scaled", "removed", "left")."""

    node: str
    operator: str
    what: str
    detail: str = ""


@dataclass(frozen=True)
class Graph:
    """A network. Graphs are never changed: a pass returns another.

    inputs     name -> spec of what a feed must bring, in order
    outputs    names of the results, in order
    nodes      in topological order
    constants  name -> array: weights and other known values; never written to
    specs      name -> spec of values whose shape and dtype are known
    report     what the converter and the passes did
    metadata   free text that came with the model
    """

    inputs: Mapping[str, TensorSpec]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)
    specs: Mapping[str, TensorSpec] = field(default_factory=dict)
    report: tuple[Action, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    name: str = "graph"

    def replace(self, **changes: Any) -> "Graph":
        return replace(self, **changes)

    def producers(self) -> dict[str, Node]:
        return {output: node for node in self.nodes for output in node.outputs if output}

    def consumers(self) -> dict[str, list[Node]]:
        """Value -> nodes that read it, once per reading node. Graph outputs do not count."""
        readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                if value:
                    readers.setdefault(value, []).append(node)
        return readers

    def constant(self, value: str) -> np.ndarray | None:
        return self.constants.get(value)

    def pruned(self) -> "Graph":
        """The graph without nodes and constants that no output needs."""
        needed, kept = set(self.outputs), []
        for node in reversed(self.nodes):
            if needed.intersection(node.outputs):
                needed.update(node.inputs)
                kept.append(node)
        return self.replace(
            nodes=tuple(reversed(kept)), constants={k: v for k, v in self.constants.items() if k in needed}
        )

    def fresh(self, wish: str, taken: Iterable[str] = ()) -> str:
        """A value name that is not in use, `wish` itself if possible."""
        used = {*self.inputs, *self.constants, *taken, *(o for node in self.nodes for o in node.outputs)}
        name, i = wish, 1
        while name in used:
            name, i = f"{wish}.{i}", i + 1
        return name
