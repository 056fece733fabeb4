"""Attributes of nodes as Python values."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto

from tinycnn.converters.onnx import reader, tensors
from tinycnn.converters.onnx.external import Folder
from tinycnn.errors import ModelFormatError

# What a value is where the file does not say it (IR version 1): the first field that is set.
FIELDS = {
    "f": AttributeProto.FLOAT, "i": AttributeProto.INT, "s": AttributeProto.STRING, "t": AttributeProto.TENSOR,
    "g": AttributeProto.GRAPH, "floats": AttributeProto.FLOATS, "ints": AttributeProto.INTS,
    "strings": AttributeProto.STRINGS, "tensors": AttributeProto.TENSORS,
}  # fmt: skip


# Attributes that hold an element type, and those that are computed in f32 here.
ELEMENT_NAMES = frozenset({"to", "dtype", "output_dtype", "stash_type"})
HALF = frozenset({TensorProto.FLOAT16, TensorProto.BFLOAT16})


def type_of(attribute: AttributeProto) -> int:
    if attribute.type:
        return attribute.type
    present = {field.name for field, _ in attribute.ListFields()}
    return next((kind for field, kind in FIELDS.items() if field in present), AttributeProto.UNDEFINED)


def single(array: np.ndarray) -> np.ndarray:
    """f16 as f32, the precision that everything here is computed in."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def value(attribute: AttributeProto, folder: Folder | None) -> Any:
    """int, float, str, array, tuple of these, or the proto of a graph or type.

    Raises ModelFormatError for text that is not UTF-8 and for malformed tensors.
    """
    kind = type_of(attribute)
    if kind == AttributeProto.FLOAT:
        return float(attribute.f)
    if kind == AttributeProto.INT:
        return int(attribute.i)
    if kind == AttributeProto.STRING:
        return tensors.text(attribute.name, attribute.s)
    if kind == AttributeProto.TENSOR:
        return single(tensors.to_array(attribute.t, folder))
    if kind == AttributeProto.SPARSE_TENSOR:
        return single(reader.dense(attribute.sparse_tensor, folder))
    if kind == AttributeProto.FLOATS:
        return tuple(attribute.floats)
    if kind == AttributeProto.INTS:
        return tuple(attribute.ints)
    if kind == AttributeProto.STRINGS:
        return tuple(tensors.text(attribute.name, s) for s in attribute.strings)
    if kind == AttributeProto.TENSORS:
        return tuple(single(tensors.to_array(t, folder)) for t in attribute.tensors)
    if kind == AttributeProto.GRAPH:
        return attribute.g
    if kind == AttributeProto.TYPE_PROTO:
        return attribute.tp
    raise ModelFormatError(f"attribute {attribute.name!r} has the unknown or unsupported type {kind}")


def protos(node: NodeProto, given: Mapping[str, AttributeProto]) -> dict[str, AttributeProto]:
    """Attributes by name, references to those of the enclosing function's call resolved.

    given  attributes of that call; a reference to one that it lacks leaves the attribute out
    """
    result: dict[str, AttributeProto] = {}
    for attribute in node.attribute:
        if attribute.name in result:
            raise ModelFormatError(f"{node.op_type} {node.name!r} has attribute {attribute.name!r} twice")
        if attribute.ref_attr_name:
            if attribute.ref_attr_name in given:
                resolved = AttributeProto()
                resolved.CopyFrom(given[attribute.ref_attr_name])
                resolved.name = attribute.name
                result[attribute.name] = resolved
        else:
            result[attribute.name] = attribute
    return result


def single_precision(protos: Iterable[AttributeProto], folder: Folder | None) -> list[AttributeProto]:
    """Attributes for an evaluator to which f16 values come as f32: element types and tensors of f16 become f32.

    Tensors in other files are read.
    """
    result = []
    for proto in protos:
        kind, change = type_of(proto), AttributeProto(name=proto.name)
        if kind == AttributeProto.INT and proto.name in ELEMENT_NAMES and proto.i in HALF:
            change.i, change.type = TensorProto.FLOAT, AttributeProto.INT
        elif kind == AttributeProto.TENSOR and (proto.t.data_type in HALF or tensors.is_external(proto.t)):
            change.t.CopyFrom(tensors.to_tensor(single(tensors.to_array(proto.t, folder)), proto.t.name))
            change.type = AttributeProto.TENSOR
        result.append(change if change.type else proto)
    return result


def default(schema: onnx.defs.OpSchema, name: str) -> Any:
    """The value that an absent attribute has; None where it has none."""
    attribute = schema.attributes[name].default_value
    return value(attribute, None) if attribute.name else None
