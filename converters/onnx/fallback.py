"""Operators without a class of their own, computed by the onnx package's reference evaluator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, FunctionProto, ModelProto, NodeProto, helper

from tinycnn.converters.onnx import tensors
from tinycnn.errors import TinyCnnError
from tinycnn.ir import TensorSpec, computed
from tinycnn.ops.op import Op, Specs, Values

PREFIX = "onnx."


@dataclass(frozen=True)
class OnnxReference(Op):
    """One ONNX node of any opset.

    The inputs are the node's own and then the values from around it that its subgraphs read. Shapes are known only
    once it ran.

    model  a serialised ModelProto of that one node, whose graph's inputs and outputs are the operator's
    """

    model: bytes

    @property
    def kind(self) -> str:  # type: ignore[override]
        return PREFIX + self.node.op_type

    @cached_property
    def proto(self) -> ModelProto:
        return ModelProto.FromString(self.model)

    @property
    def node(self) -> NodeProto:
        return self.proto.graph.node[0]

    @cached_property
    def evaluator(self) -> Any:
        from onnx.reference import ReferenceEvaluator

        from tinycnn.converters.onnx.control import OPERATORS

        return ReferenceEvaluator(self.proto, new_ops=OPERATORS)

    def problem(self) -> str:
        """Why it cannot be computed, "" when it can."""
        try:
            self.evaluator  # noqa: B018
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            return f"the onnx package's reference evaluator refuses it: {reason}"
        return ""

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        return None

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        graph = self.proto.graph
        own = set(self.node.input)
        names = [*self.node.input, *(value.name for value in graph.input if value.name not in own)]
        feeds = {name: self.narrowed(name, value) for name, value in zip(names, inputs, strict=False) if name}
        try:
            with np.errstate(all="ignore"):
                results = self.evaluator.run(None, feeds)
        except Exception as error:
            raise TinyCnnError(f"{self.kind} {self.node.name!r}: {error}") from error
        by_name = dict(zip((value.name for value in graph.output), results, strict=True))
        return tuple(widened(by_name[name]) if name else np.empty(0) for name in self.node.output)

    @cached_property
    def coded(self) -> dict[str, np.dtype]:
        """The dtypes of inputs that are narrower than what carries them here."""
        elements = {value.name: value.type.tensor_type.elem_type for value in self.proto.graph.input}
        return {name: np.dtype(helper.tensor_dtype_to_np_dtype(e)) for name, e in elements.items() if e}

    def narrowed(self, name: str, value: Any) -> Any:
        return value.astype(self.coded[name]) if name in self.coded and isinstance(value, np.ndarray) else value


def widened(value: Any) -> Any:
    """A result as values are carried here: arrays in the dtype in which they are computed, lists for sequences."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [widened(item) for item in value]
    array = np.asarray(value)
    return array.astype(object if array.dtype.kind == "U" else computed(array.dtype), copy=False)


def of_node(
    node: NodeProto,
    attributes: Sequence[AttributeProto],
    captured: Sequence[str],
    opsets: Mapping[str, int],
    functions: Sequence[FunctionProto] = (),
    coded: Sequence[int] = (),
) -> OnnxReference:
    """The operator of a node as it stands in a model, with references among its attributes already resolved.

    coded  for each of node.input and captured: the element type if it is narrower than the dtype that carries it, or 0
    """
    copy = NodeProto(op_type=node.op_type, domain=node.domain, overload=node.overload, name=node.name)
    copy.input.extend(node.input)
    copy.output.extend(node.output)
    copy.attribute.extend(attributes)
    values = dict.fromkeys(name for name in (*node.input, *captured) if name)
    graph = onnx.GraphProto(name="single")
    graph.node.append(copy)
    elements = dict(zip((*node.input, *captured), coded, strict=False))
    graph.input.extend(typed(name, elements.get(name, 0)) for name in values)
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in node.output if name)
    model = ModelProto(ir_version=onnx.IR_VERSION, graph=graph, functions=functions)
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in opsets.items())
    return OnnxReference(model.SerializeToString(deterministic=True))


def typed(name: str, element: int) -> onnx.ValueInfoProto:
    if element:
        return helper.make_tensor_value_info(name, element, None)
    return onnx.ValueInfoProto(name=name)


def of_operator(
    kind: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Mapping[str, Any]
) -> OnnxReference:
    """The operator in the form of the newest opset, from Python values."""
    made = [
        helper.make_attribute(name, tensors.to_tensor(value, name) if isinstance(value, np.ndarray) else value)
        for name, value in attributes.items()
    ]
    node = NodeProto(op_type=kind)
    node.input.extend(inputs)
    node.output.extend(outputs)
    return of_node(node, made, (), {"": onnx.defs.onnx_opset_version()})
