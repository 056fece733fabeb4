"""What the importer knows of a value before any shape is: its dtype, and often its rank."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx

from tinycnn.converters.onnx import tensors
from tinycnn.ir import computed

# Operators whose first output has the rank of their first input.
SAME_RANK = frozenset(
    "Conv ConvTranspose MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool BatchNormalization "
    "InstanceNormalization LRN Relu LeakyRelu PRelu Elu Selu Sigmoid HardSigmoid HardSwish Tanh Clip Softplus Softsign "
    "Exp Log Sqrt Abs Neg Floor Ceil Reciprocal Softmax LogSoftmax Hardmax Concat Split Slice Pad Transpose Resize "
    "Identity Cast DepthToSpace SpaceToDepth QuantizeLinear DequantizeLinear Dropout Upsample".split()
)
BROADCAST = frozenset("Add Sub Mul Div Pow Max Min Sum Mean And Or Xor Equal Less Greater Where".split())


@dataclass(frozen=True)
class Fact:
    """What is known of a value.

    dtype   in which it is computed; None where unknown
    rank    None where unknown
    opaque  it is, or may be, a sequence, map or optional: no tensor
    coded   the element type (TensorProto.DataType) of floats of 8 bits and fewer and integers of 4 and fewer, whose
            values a wider dtype carries here; 0 for all other
    """

    dtype: np.dtype | None = None
    rank: int | None = None
    opaque: bool = False
    coded: int = 0


NOTHING = Fact()


def of_element(element: int, rank: int | None = None) -> Fact:
    """Of a tensor with this element type, 0 where that is unknown."""
    dtype = tensors.stored_dtype(element)
    return Fact(None if dtype is None else computed(dtype), rank, coded=element if tensors.is_coded(element) else 0)


def of_declared(declared: onnx.TypeProto) -> Fact:
    """Of a value with this type. One that a subgraph leaves undeclared is taken for a tensor."""
    if not declared.HasField("tensor_type"):
        return Fact(opaque=declared.WhichOneof("value") is not None)
    tensor = declared.tensor_type
    return of_element(tensor.elem_type, len(tensor.shape.dim) if tensor.HasField("shape") else None)


def element_of_type(text: str) -> int:
    """ "tensor(float)" -> TensorProto.FLOAT, 0 for what is no tensor."""
    element = getattr(onnx.TensorProto, text.removeprefix("tensor(").removesuffix(")").upper(), 0)
    return element if isinstance(element, int) else 0


def of_bodies(kind: str, attributes: Mapping[str, Any]) -> list[Fact] | None:
    """Of the outputs of an operator that a subgraph computes; None for other operators."""
    body = attributes.get({"If": "then_branch", "Loop": "body"}.get(kind, ""))
    if not isinstance(body, onnx.GraphProto):
        return None
    return [of_declared(value.type) for value in body.output[kind == "Loop" :]]


def outputs(
    schema: onnx.defs.OpSchema, inputs: Sequence[Fact], attributes: Mapping[str, Any], count: int
) -> list[Fact]:
    """Facts of the first `count` outputs of one node."""
    by_label: dict[str, Fact] = {}
    read, made = schema.inputs, schema.outputs  # each access makes them anew
    for i, fact in enumerate(inputs):
        if read and fact != NOTHING:
            by_label.setdefault(read[min(i, len(read) - 1)].type_str, fact)
    declared = of_bodies(schema.name, attributes)
    result = []
    for i in range(count):
        label = made[min(i, len(made) - 1)].type_str
        known = by_label.get(label)
        if declared is not None:
            fact = declared[i] if i < len(declared) else NOTHING
            if schema.name == "Loop":  # carried values keep their type but not their shape, scanned ones gain an axis
                fact = replace(fact, rank=None)
        elif known is not None:
            fact = known
        elif element := explicit(attributes):
            fact = of_element(element)
        else:
            fact = of_types(allowed_types(schema, label))
        if declared is None:
            whole = i == 0 or schema.name == "Split"
            fact = replace(fact, rank=rank(schema.name, inputs, attributes) if whole else None)
        result.append(fact)
    return result


def allowed_types(schema: onnx.defs.OpSchema, label: str) -> Sequence[str]:
    """What a formal parameter's type, or name of types, stands for."""
    return next((c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == label), [label])


def of_types(types: Sequence[str]) -> Fact:
    """Of a value of one of these types."""
    if len(types) == 1:
        return replace(of_element(element_of_type(types[0])), opaque=not types[0].startswith("tensor"))
    return Fact(opaque=not all(text.startswith("tensor") for text in types))


def explicit(attributes: Mapping[str, Any]) -> int:
    """The element type that attributes choose, 0 where none does."""
    for name in ("to", "dtype", "output_dtype"):
        if isinstance(attributes.get(name), int) and attributes[name]:
            return int(attributes[name])
    value = attributes.get("value")
    return tensors.ELEMENT_TYPES.get(value.dtype, 0) if isinstance(value, np.ndarray) else 0


def rank(kind: str, inputs: Sequence[Fact], attributes: Mapping[str, Any]) -> int | None:
    ranks = [fact.rank for fact in inputs]
    if kind in SAME_RANK:
        return ranks[0] if ranks else None
    if kind in BROADCAST:
        return None if None in ranks else max(r for r in ranks if r is not None)
    if kind in ("Flatten", "Gemm"):
        return 2
    if kind.startswith("Reduce") and attributes.get("keepdims", 1):
        return ranks[0]
    return None
