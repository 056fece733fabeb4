"""What a model declares: versions, inputs, types, and what it says of itself."""

from collections.abc import Collection

from onnx import GraphProto, ModelProto, ValueInfoProto

from tinycnn import knobs
from tinycnn.converters.onnx import tensors
from tinycnn.converters.onnx.builder import NEWEST
from tinycnn.errors import LimitError, ModelFormatError, Problem, UnsupportedModelError
from tinycnn.ir import TensorSpec, computed

STANDARD = ("", "ai.onnx")
# Names that exporters write where they know none: not the same size everywhere.
PLACEHOLDERS = frozenset({"", "?", "*", "-1", "None", "none", "unk", "unknown"})
# Kinds of inputs, beside tensors, that a session takes.
OPAQUE = frozenset({"sequence_type", "optional_type"})


def versions(model: ModelProto) -> dict[str, int]:
    """Domain -> opset. Files from before opsets had names mean opset 1.

    Raises UnsupportedModelError when the installed onnx package does not know the opset of the standard operators.
    """
    result = {"": 1} | {"" if o.domain in STANDARD else o.domain: o.version for o in model.opset_import}
    if not 1 <= result[""] <= NEWEST:
        remedy = "upgrade the onnx package, or export the model to an older opset"
        reason = f"the installed onnx package knows opsets 1 to {NEWEST}"
        raise UnsupportedModelError([Problem(model.graph.name, "the model", result[""], reason, remedy=remedy)])
    return result


def input_spec(value: ValueInfoProto) -> TensorSpec | None:
    """What a feed must bring; None for kinds of values that no session takes.

    Raises ModelFormatError for an unknown element type, LimitError when it is too large.
    """
    kind, name = value.type.WhichOneof("value"), value.name
    if not name:
        raise ModelFormatError("an input has no name")
    if kind in OPAQUE:
        return TensorSpec.unknown()
    if kind != "tensor_type":
        return None
    spec = spec_of(value)
    if spec is None:
        element = tensors.element_name(value.type.tensor_type.elem_type)
        raise ModelFormatError(f"input {name!r} has the unknown {element}")
    if spec.is_static and spec.nbytes > knobs.MEMORY.get():
        limit = f"the limit {knobs.MEMORY.name} is {knobs.MEMORY.get()}"
        raise LimitError(f"input {name!r} of {spec} needs {spec.nbytes} bytes, {limit}")
    return spec


def spec_of(value: ValueInfoProto) -> TensorSpec | None:
    """The declared type of a tensor; None for what is none, or has an element type that nothing here stands for."""
    if not value.type.HasField("tensor_type"):
        return None
    tensor = value.type.tensor_type
    dtype = tensors.declared_dtype(tensor.elem_type)
    if dtype is None:
        return None
    if not tensor.HasField("shape"):
        return TensorSpec(None, dtype)
    params = [dim.dim_param for dim in tensor.shape.dim]
    dims = [
        dim.dim_value if dim.dim_value > 0
        else dim.dim_param if dim.dim_param not in PLACEHOLDERS and params.count(dim.dim_param) == 1
        else f"{value.name}.{axis}"
        for axis, dim in enumerate(tensor.shape.dim)
    ]  # fmt: skip
    return TensorSpec(tuple(dims), dtype)


def declared_specs(graph: GraphProto, known: Collection[str]) -> dict[str, TensorSpec]:
    """Declared types of the `known` values: of outputs as declared, of values inside as they are computed here."""
    outputs = {value.name for value in graph.output}
    result = {}
    for value in (*graph.value_info, *graph.output):
        spec = spec_of(value) if value.name in known or value.name in outputs else None
        if spec is not None:
            inside = value.name not in outputs
            result[value.name] = TensorSpec(spec.shape, computed(spec.dtype)) if inside else spec
    return result


def metadata(model: ModelProto) -> dict[str, str]:
    """The free text of a model, and what its fields say."""
    return {entry.key: entry.value for entry in model.metadata_props} | {
        "producer_name": model.producer_name,
        "producer_version": model.producer_version,
        "domain": model.domain,
        "model_version": str(model.model_version),
        "description": model.doc_string,
        "graph_description": model.graph.doc_string,
    }
