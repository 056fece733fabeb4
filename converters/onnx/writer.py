"""Graphs to ONNX models: what only exists here is expressed in standard operators."""

import contextlib
import dataclasses
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, ValueInfoProto, helper

from tinycnn.converters.onnx import expand, facts, tensors
from tinycnn.converters.onnx.facts import Fact
from tinycnn.converters.onnx.fallback import OnnxReference
from tinycnn.converters.onnx.reader import PROTOBUF_LIMIT
from tinycnn.errors import LimitError, ModelFormatError, Problem, UnsupportedModelError
from tinycnn.ir import Graph, Node, TensorSpec, computed

OPSET = 21
IR_VERSION = 10  # the one of onnx 1.16, which brought opset 21


def to_onnx(graph: Graph) -> ModelProto:
    """A model of opset 21 that means the same as the graph.

    Fused fields become operators of their own; symbolic sizes keep their names; inputs and outputs that are declared
    with a dtype that is not computed in, such as f16, are cast at the border.

    Raises UnsupportedModelError with all nodes that opset 21 cannot express, LimitError for 2 GiB and more.
    """
    nbytes = sum(array.nbytes for array in graph.constants.values())
    if nbytes > PROTOBUF_LIMIT:
        raise LimitError(f"the constants have {nbytes} bytes; no ONNX file is 2 GiB or more")
    model = Writer(graph).model()
    if model.ByteSize() > PROTOBUF_LIMIT:
        raise LimitError(f"the model has {model.ByteSize()} bytes; no ONNX file is 2 GiB or more")
    return model


def save_onnx(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Writes `to_onnx(graph)` to a file, which either is complete or keeps what it was.

    Raises what `to_onnx` raises, and ModelFormatError when the file cannot be written.
    """
    data = to_onnx(graph).SerializeToString()
    target = os.fspath(path)
    partial = f"{target}.{os.getpid()}.partial"
    try:
        with open(partial, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except OSError as error:
        raise ModelFormatError(f"{target!r} cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(partial)


class Writer:
    """A model under construction. Operators are emitted in the form of opset 21."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.nodes: list[NodeProto] = []
        self.constants = dict(graph.constants)
        self.facts = {name: Fact(a.dtype, a.ndim) for name, a in graph.constants.items()}
        self.problems: list[Problem] = []
        made = (output for node in graph.nodes for output in node.outputs)
        self.taken = {*graph.inputs, *graph.constants, *made}
        self.names: set[str] = set()
        # Of values that are cast at the border: the name outside -> the one that nodes use.
        self.inside: dict[str, str] = {}

    def model(self) -> ModelProto:
        graph = self.graph
        self.open_borders()
        for node in graph.nodes:
            self.node(node)
        inputs = [value_info(name, spec) for name, spec in graph.inputs.items() if not self.opaque(name, spec)]
        outputs = [self.output(name) for name in graph.outputs]
        if self.problems:
            raise UnsupportedModelError(self.problems)
        needed = {name for node in self.nodes for name in node.input} | set(graph.outputs)
        initialisers = [tensors.to_tensor(a, name) for name, a in self.constants.items() if name in needed]
        told = dict(graph.metadata)
        proto = helper.make_graph(
            self.nodes, graph.name, inputs, outputs, initialisers, doc_string=told.pop("graph_description", "")
        )
        told.pop("producer_name", "")
        told.pop("producer_version", "")
        version = told.pop("model_version", "0")
        model = helper.make_model(
            proto, producer_name="tinycnn", opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
            domain=told.pop("domain", ""), doc_string=told.pop("description", ""),
            model_version=int(version) if version.lstrip("-").isdigit() else 0,
        )  # fmt: skip
        helper.set_model_props(model, told)
        return model

    def open_borders(self) -> None:
        for name, spec in self.graph.inputs.items():
            self.facts[name] = Fact(computed(spec.dtype), None if spec.shape is None else spec.rank)
            if spec.dtype != computed(spec.dtype):
                self.inside[name] = self.fresh(f"{name}.{computed(spec.dtype)}")
                self.facts[self.inside[name]] = self.facts[name]
                self.nodes.append(cast(name, self.inside[name], computed(spec.dtype)))
        for name in self.graph.outputs:
            declared = self.graph.specs.get(name)
            if declared is not None and declared.dtype != computed(declared.dtype) and name not in self.graph.inputs:
                self.inside[name] = self.fresh(f"{name}.{computed(declared.dtype)}")

    def opaque(self, name: str, spec: TensorSpec) -> bool:
        """Refuses an input that may be anything but a tensor."""
        if spec.is_unknown:
            self.problems.append(Problem(name, "input", OPSET, "its type is not known to be a tensor's"))
        return spec.is_unknown

    def output(self, name: str) -> ValueInfoProto:
        """Declares an output, casting it where its declared dtype differs."""
        inner = self.inside.get(name, name)
        spec = self.graph.specs.get(name) or self.graph.inputs.get(name)
        if inner != name and name not in self.graph.inputs:
            if name in self.constants:
                self.constants[inner] = self.constants.pop(name)
            assert spec is not None
            self.nodes.append(cast(inner, name, spec.dtype))
        fact = self.facts.get(inner, facts.NOTHING)
        dtype = spec.dtype if spec is not None else fact.dtype or np.dtype(np.float32)
        known = [
            found.shape for found in (spec, self.inferred.get(name)) if found is not None and found.shape is not None
        ]
        symbols = None if fact.rank is None else tuple(f"{name}.{axis}" for axis in range(fact.rank))
        return value_info(name, TensorSpec(known[0] if known else symbols, dtype))

    @cached_property
    def inferred(self) -> dict[str, TensorSpec]:
        """Specs of the values whose shape follows from inputs of static shape."""
        constants = self.graph.constants
        inputs = self.graph.inputs
        specs = {name: TensorSpec(s.shape, computed(s.dtype)) for name, s in inputs.items() if s.is_static}
        specs |= {name: TensorSpec.of(array) for name, array in constants.items()}
        for node in self.graph.nodes:
            if all(name in specs for name in node.inputs if name):
                values = [constants.get(name) for name in node.inputs]
                found = node.op.infer([specs.get(name) for name in node.inputs], values)
                specs.update(zip(node.outputs, found or (), strict=False))
        return specs

    def node(self, node: Node) -> None:
        if isinstance(node.op, OnnxReference):
            self.foreign(node, node.op)
        else:
            expand.EXPANSIONS.get(node.kind, expand.plain)(self, node)

    def foreign(self, node: Node, op: OnnxReference) -> None:
        """A node kept as it was, if opset 21 has not changed its definition."""
        proto = NodeProto()
        proto.CopyFrom(op.node)
        versions = {o.domain: o.version for o in op.proto.opset_import}
        captured = [value.name for value in op.proto.graph.input if value.name not in set(proto.input)]
        renamed = [self.inside.get(name, name) for name in node.inputs[len(proto.input) :]]
        if proto.domain or not same_definition(proto.op_type, versions.get("", 1)) or captured != renamed:
            self.refuse(node, f"opset {OPSET} cannot express it as it stands")
            return
        proto.input[:] = [self.inside.get(name, name) for name in node.inputs[: len(proto.input)]]
        proto.output[:] = [self.inside.get(name, name) for name in node.outputs]
        proto.name = self.named(node.name)
        self.track(proto, {})
        self.nodes.append(proto)

    def emit(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], name: str, **attributes: Any) -> str:
        """Adds an operator under a name of its own and tells its first output."""
        given = {
            key: tensors.to_tensor(np.reshape(value, -1), key) if isinstance(value, np.generic | np.ndarray) else value
            for key, value in attributes.items()
        }
        read, written = ([self.inside.get(value, value) for value in values] for values in (inputs, outputs))
        proto = helper.make_node(kind, read, written, self.named(name), **given)
        self.track(proto, attributes)
        self.nodes.append(proto)
        return outputs[0]

    def track(self, proto: NodeProto, attributes: Mapping[str, Any]) -> None:
        known = [self.facts.get(name, facts.NOTHING) for name in proto.input]
        schema = onnx.defs.get_schema(proto.op_type, OPSET)
        for name, fact in zip(proto.output, facts.outputs(schema, known, attributes, len(proto.output)), strict=True):
            self.facts[name] = fact

    def constant(self, array: np.ndarray, wish: str) -> str:
        name = self.fresh(wish)
        self.constants[name] = array
        self.facts[name] = Fact(array.dtype, array.ndim)
        return name

    def fresh(self, wish: str) -> str:
        name, i = wish, 1
        while name in self.taken:
            name, i = f"{wish}.{i}", i + 1
        self.taken.add(name)
        return name

    def named(self, wish: str) -> str:
        """A node name that no other has: onnxruntime refuses models where two have the same."""
        name, i = wish, 1
        while name and name in self.names:
            name, i = f"{wish}.{i}", i + 1
        self.names.add(name)
        return name

    def rank(self, value: str) -> int | None:
        spec = self.graph.specs.get(value)
        known = self.facts.get(value, facts.NOTHING).rank
        return len(spec.shape) if known is None and spec is not None and spec.shape is not None else known

    def refuse(self, node: Node, reason: str, attribute: str = "") -> None:
        self.problems.append(Problem(node.name, node.kind, OPSET, reason, attribute))

    def attributes(self, node: Node) -> dict[str, Any]:
        """The operator's fields that are attributes in opset 21; refuses others that are not at their default."""
        schema = onnx.defs.get_schema(node.kind, OPSET)
        result = {}
        for f in dataclasses.fields(node.op):  # type: ignore[arg-type]
            value = getattr(node.op, f.name)
            if f.name in schema.attributes:
                if schema.attributes[f.name].required or not equal(value, f.default):
                    result[f.name] = value
            elif f.name not in expand.OWN_FIELDS and value != f.default:
                self.refuse(node, f"opset {OPSET} has no such attribute", f.name)
        return result


def same_definition(kind: str, version: int) -> bool:
    try:
        schemas = [onnx.defs.get_schema(kind, v) for v in (version, OPSET)]
    except onnx.defs.SchemaError:
        return False
    return schemas[0].since_version == schemas[1].since_version and not schemas[1].deprecated


def cast(source: str, target: str, dtype: np.dtype) -> NodeProto:
    return helper.make_node("Cast", [source], [target], f"{target}.cast", to=helper.np_dtype_to_tensor_dtype(dtype))


def equal(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and bool(np.array_equal(a, b)))


def value_info(name: str, spec: TensorSpec) -> ValueInfoProto:
    shape = None if spec.shape is None else list(spec.shape)
    element = tensors.ELEMENT_TYPES.get(spec.dtype) or helper.np_dtype_to_tensor_dtype(spec.dtype)
    return helper.make_tensor_value_info(name, element, shape)
