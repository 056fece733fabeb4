"""One ONNX node on its way into a graph: what a lift sees and may do."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from tinycnn.converters.onnx import facts
from tinycnn.converters.onnx.builder import Builder
from tinycnn.converters.onnx.facts import Fact
from tinycnn.errors import Problem


class Refusal(Exception):
    """A node that cannot be converted; the importer collects them."""

    def __init__(self, problem: Problem):
        super().__init__(str(problem))
        self.problem = problem


@dataclass
class Call:
    """An ONNX node with its operands under their names in the graph.

    A lift rewrites it towards the newest opset: it changes inputs and attributes in place, or emits other operators,
    the last of them to `outputs`, which completes the call.

    proto       as it stands in the file
    opset       version of the domain that its meaning follows
    inputs      value names, "" for an absent one
    attributes  by name; those not taken become fields of the operator
    done        everything was emitted
    left        it goes to the onnx package's reference evaluator as it stands in the file
    """

    proto: onnx.NodeProto
    kind: str
    domain: str
    opset: int
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    builder: Builder
    done: bool = field(default=False)
    left: bool = field(default=False)

    def input(self, index: int) -> str:
        return self.inputs[index] if index < len(self.inputs) else ""

    def required(self, index: int) -> str:
        if not self.input(index):
            raise self.refusal(f"input {index} is missing")
        return self.inputs[index]

    def value(self, index: int) -> np.ndarray | None:
        """The input's value where it is a constant."""
        return self.builder.constants.get(self.input(index))

    def fact(self, index: int) -> Fact:
        return self.builder.facts.get(self.input(index), facts.NOTHING)

    def dtype(self, index: int = 0) -> np.dtype:
        """The input's dtype; f32 where it is not known."""
        return self.fact(index).dtype or np.dtype(np.float32)

    def take(self, name: str, default: Any = None) -> Any:
        """An attribute, which then is dealt with."""
        return self.attributes.pop(name, default)

    def ints(self, name: str) -> list[int] | None:
        """An attribute that must be a list of integers, taken; None when absent."""
        value = self.take(name)
        if value is not None and not isinstance(value, tuple):
            raise self.refusal("it must be a list of integers", attribute=name)
        return None if value is None else [int(v) for v in value]

    def constant(self, value: Any, dtype: Any, role: str) -> str:
        """A constant of this node's own, such as an attribute that the newest opset takes as an input."""
        return self.builder.constant(np.array(value, dtype), f"{self.outputs[0] or self.name}.{role}")

    def axes(self, values: Sequence[int], role: str = "axes") -> str:
        return self.constant(values, np.int64, role)

    def emit(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str] | None = None, role: str = "", **attributes: Any
    ) -> str:
        """Adds an operator of the newest opset and tells its first output.

        outputs  None: one fresh value, named after this node's output and `role`
        """
        if outputs is None:
            role = role or kind.lower()
            outputs = [self.builder.fresh(f"{self.outputs[0] or self.name}.{role}")]
        else:
            self.done = True
        self.builder.operator(kind, inputs, outputs, attributes, self.name, role)
        return outputs[0]

    def say(self, what: str, detail: str = "") -> None:
        self.builder.say(self.name, self.kind, what, detail)

    def problem(self, reason: str, attribute: str = "", remedy: str = "") -> Problem:
        kind = f"{self.domain}.{self.kind}" if self.domain else self.kind
        return Problem(self.name, kind, self.opset, reason, attribute, remedy)

    def refusal(self, reason: str, attribute: str = "", remedy: str = "") -> Refusal:
        return Refusal(self.problem(reason, attribute, remedy))
