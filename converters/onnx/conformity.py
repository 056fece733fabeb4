"""Nodes against the definitions of their operators: what is refused, filled in, or left to the evaluator."""

from collections.abc import Collection
from typing import Any

import onnx

from tinycnn.converters.onnx import attributes, facts
from tinycnn.converters.onnx.builder import NEWEST
from tinycnn.converters.onnx.call import Call, Refusal
from tinycnn.ops import REGISTRY

# Operators that only move elements: what a wider dtype carries, they move as well.
MOVES = frozenset(
    "Identity Reshape Flatten Squeeze Unsqueeze Transpose Slice Split Concat Gather Expand Tile Shape Size".split()
)


def schema_of(call: Call) -> onnx.defs.OpSchema | None:
    try:
        return onnx.defs.get_schema(call.kind, call.opset, call.domain)
    except onnx.defs.SchemaError:
        return None


def check_arity(call: Call, schema: onnx.defs.OpSchema) -> None:
    for what, names, least, most in (
        ("inputs", call.inputs, schema.min_input, schema.max_input),
        ("outputs", call.outputs, schema.min_output, schema.max_output),
    ):
        if not least <= len(names) <= most:
            raise call.refusal(f"it has {len(names)} {what}, the definition says {least} to {most}")


def drop_unread(call: Call, schema: onnx.defs.OpSchema, read: Collection[str]) -> None:
    """An optional output that nothing reads is not computed."""
    optional = onnx.defs.OpSchema.FormalParameterOption.Optional
    for i, (name, formal) in enumerate(zip(call.proto.output, schema.outputs, strict=False)):
        if formal.option == optional and name not in read:
            call.outputs[i] = ""


def check_attributes(call: Call, schema: onnx.defs.OpSchema) -> None:
    """Fills in defaults that the newest opset does not share. Refuses attributes of a wrong type."""
    call.take("consumed_inputs")
    for name, attribute in schema.attributes.items():
        if name in call.attributes:
            kind = next((a for a in call.proto.attribute if a.name == name and not a.ref_attr_name), None)
            declared: Any = attribute.type
            if kind is not None and attributes.type_of(kind) != int(declared.value):
                raise call.refusal(f"it must be {declared.name}", attribute=name)
        elif attribute.required:
            raise call.refusal("it must be given", attribute=name)
        elif (value := attributes.default(schema, name)) is not None and value != newest_default(call, name):
            call.attributes[name] = value


def newest_default(call: Call, name: str) -> Any:
    try:
        schema = onnx.defs.get_schema(call.kind, NEWEST, call.domain) if not call.domain else None
    except onnx.defs.SchemaError:
        schema = None
    return attributes.default(schema, name) if schema is not None and name in schema.attributes else None


def fits_class(call: Call, schema: onnx.defs.OpSchema) -> bool:
    """Whether an operator's class, or a lift, computes this call: its outputs, on inputs of these types."""
    known = [call.fact(i) for i in range(len(call.inputs))]
    results = facts.outputs(schema, known, call.attributes, len(call.outputs))
    if call.kind == "Constant":
        return True
    if any(fact.opaque for fact in (*known, *results)):
        return False
    if any(fact.coded for fact in (*known, *results)) and call.kind not in MOVES:
        return call.kind == "DequantizeLinear" and known[0].dtype is not None and known[0].dtype.kind in "iu"
    op, dtype = REGISTRY.get(call.kind), known[0].dtype if known else None
    if op is not None and any(call.outputs[op.results :]) and call.kind != "BatchNormalization":
        return False
    if op is None or dtype is None or not op.dtypes or dtype.kind in op.dtypes:
        return True
    allowed = facts.allowed_types(schema, schema.inputs[0].type_str)
    return not any(facts.of_element(facts.element_of_type(text)).dtype == dtype for text in allowed)


def unknown(call: Call) -> Refusal:
    if not call.opset:
        return call.refusal(f"the model imports no opset of domain {call.domain!r}", remedy="add it to opset_import")
    if call.domain:
        return call.refusal("no operator of this domain is known here", remedy="export with standard operators")
    return call.refusal(f"no such operator in opset {call.opset}", remedy="check its spelling and the opset")
