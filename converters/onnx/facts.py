"""What the importer knows of a value before any shape is: its dtype, and often its rank."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from tinycnn.converters.onnx import tensors

# Operators whose first output has the rank of their first input.
SAME_RANK = frozenset(
    "Conv ConvTranspose MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool BatchNormalization "
    "InstanceNormalization LRN Relu LeakyRelu PRelu Elu Selu Sigmoid HardSigmoid HardSwish Tanh Clip Softplus Softsign Exp "
    "Log Sqrt Abs Neg Floor Ceil Reciprocal Softmax LogSoftmax Hardmax Concat Split Slice Pad Transpose Resize Identity "
    "Cast DepthToSpace SpaceToDepth QuantizeLinear DequantizeLinear Dropout Upsample".split()
)
BROADCAST = frozenset("Add Sub Mul Div Pow Max Min Sum Mean And Or Xor Equal Less Greater Where".split())


@dataclass(frozen=True)
class Fact:
    """dtype and rank of a value, None where unknown. opaque: a sequence, map or optional, so not a tensor."""

    dtype: np.dtype | None = None
    rank: int | None = None
    opaque: bool = False


NOTHING = Fact()


def computed(dtype: np.dtype) -> np.dtype:
    """The dtype in which values of a dtype are computed here: f16 in f32, all else as it is."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype


def dtype_of_type(text: str) -> np.dtype | None:
    """ "tensor(float)" -> float32."""
    name = text.removeprefix("tensor(").removesuffix(")").upper()
    element = getattr(onnx.TensorProto, name, None)
    dtype = tensors.stored_dtype(element) if isinstance(element, int) else None
    return None if dtype is None else computed(dtype)


def outputs(
    schema: onnx.defs.OpSchema, inputs: Sequence[Fact], attributes: Mapping[str, Any], count: int
) -> list[Fact]:
    """Facts of the first `count` outputs of one node."""
    by_label: dict[str, Fact] = {}
    for i, fact in enumerate(inputs):
        formal = schema.inputs[min(i, len(schema.inputs) - 1)] if schema.inputs else None
        if formal is not None and fact != NOTHING:
            by_label.setdefault(formal.type_str, fact)
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    result = []
    for i in range(count):
        formal = schema.outputs[min(i, len(schema.outputs) - 1)]
        types = allowed.get(formal.type_str, [formal.type_str])
        source = by_label.get(formal.type_str)
        opaque = source.opaque if source else all(not t.startswith("tensor") for t in types)
        dtype = source.dtype if source else dtype_of_type(types[0]) if len(types) == 1 else explicit(attributes)
        result.append(Fact(dtype, rank(schema.name, inputs, attributes) if i == 0 or schema.name == "Split" else None, opaque))
    return result


def explicit(attributes: Mapping[str, Any]) -> np.dtype | None:
    """The dtype that attributes choose."""
    for name in ("to", "dtype", "output_dtype"):
        if isinstance(attributes.get(name), int) and attributes[name]:
            dtype = tensors.stored_dtype(attributes[name])
            return None if dtype is None else computed(dtype)
    value = attributes.get("value")
    return value.dtype if isinstance(value, np.ndarray) else None


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
