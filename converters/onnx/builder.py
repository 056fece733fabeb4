"""A graph under construction."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from tinycnn import knobs
from tinycnn.converters.onnx import attributes as onnx_attributes
from tinycnn.converters.onnx import facts, fallback, tensors
from tinycnn.converters.onnx.facts import Fact
from tinycnn.errors import LimitError, ModelFormatError, Problem
from tinycnn.ir import Action, Node, TensorSpec
from tinycnn.ops import REGISTRY, Op

NEWEST = onnx.defs.onnx_opset_version()


def fields_of(op: type[Op], given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The attributes that are fields of an operator, and the names of those that are not."""
    names = {f.name for f in dataclasses.fields(op)}
    return {k: v for k, v in given.items() if k in names}, [k for k in given if k not in names]


class Builder:
    """Collects what a Graph is made of.

    facts   what is known of each value
    taken   value names in use
    scale_dropout  Dropout means scaling by the keep probability
    """

    def __init__(self) -> None:
        self.inputs: dict[str, TensorSpec] = {}
        self.nodes: list[Node] = []
        self.constants: dict[str, np.ndarray] = {}
        self.facts: dict[str, Fact] = {}
        self.report: list[Action] = []
        self.problems: list[Problem] = []
        self.taken: set[str] = set()
        self.scale_dropout = False
        self.nbytes = 0

    def fresh(self, wish: str) -> str:
        name, i = wish, 1
        while name in self.taken or not name:
            name, i = f"{wish}.{i}", i + 1
        self.taken.add(name)
        return name

    def constant(self, array: np.ndarray, wish: str) -> str:
        """Adds a constant under a fresh name."""
        return self.define(self.fresh(wish), array)

    def define(self, name: str, array: np.ndarray, element: int = 0) -> str:
        """Adds a constant under a name that is already reserved for it. f16 becomes f32.

        element  its element type (TensorProto.DataType) in the file
        """
        if name in self.constants:
            raise ModelFormatError(f"{name!r} is defined twice")
        array = onnx_attributes.single(array)
        self.nbytes += array.nbytes
        if self.nbytes > knobs.MEMORY.get():
            raise LimitError(f"the constants need more than {knobs.MEMORY.get()} bytes, the limit {knobs.MEMORY.name}")
        array.flags.writeable = False
        self.constants[name] = array
        self.facts[name] = Fact(array.dtype, array.ndim, coded=element if tensors.is_coded(element) else 0)
        self.taken.add(name)
        return name

    def operator(
        self,
        kind: str,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: Mapping[str, Any],
        name: str,
        role: str = "",
    ) -> None:
        """Adds an operator in the form of the newest opset."""
        schema = onnx.defs.get_schema(kind, NEWEST)
        if kind in REGISTRY:
            fields, unknown = fields_of(REGISTRY[kind], attributes)
            assert not unknown, (kind, unknown)
            op: Op = REGISTRY[kind](**fields)
        else:
            op = fallback.of_operator(kind, inputs, outputs, attributes)
        self.add(op, inputs, outputs, f"{name}.{role}" if role and name else name, schema, attributes)

    def add(
        self,
        op: Op,
        inputs: Sequence[str],
        outputs: Sequence[str],
        name: str,
        schema: onnx.defs.OpSchema,
        attributes: Mapping[str, Any],
    ) -> None:
        """Adds a node. Raises ShapeError when it lacks an input that its operator must have."""
        inputs, outputs = trimmed(inputs), trimmed(outputs)
        if op.kind in REGISTRY:
            op.required([value or None for value in inputs])
        known = [self.facts.get(value, facts.NOTHING) for value in inputs]
        for value, fact in zip(outputs, facts.outputs(schema, known, attributes, len(outputs)), strict=True):
            if value:
                self.facts[value] = fact
        self.nodes.append(Node(op, tuple(inputs), tuple(outputs), name))

    def say(self, node: str, operator: str, what: str, detail: str = "") -> None:
        self.report.append(Action(node, operator, what, detail))


def trimmed(names: Sequence[str]) -> list[str]:
    """Without absent ones at the end."""
    result = list(names)
    while result and not result[-1]:
        result.pop()
    return result
