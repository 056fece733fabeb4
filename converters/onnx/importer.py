"""ONNX models to graphs: every opset brought to the meaning of the newest, all problems collected."""

from collections import ChainMap

from onnx import ModelProto

from tinycnn.converters.onnx import facts, reader, signature
from tinycnn.converters.onnx.body import Body, Scope
from tinycnn.converters.onnx.builder import Builder
from tinycnn.errors import ModelFormatError, OptionError, Problem, UnsupportedModelError
from tinycnn.ir import Graph, verify

DROPOUT = ("identity", "scale")


def load_onnx(source: reader.Source, *, dropout: str = "identity", files: set[str] | None = None) -> Graph:
    """The graph of an ONNX model of any opset.

    source   path, bytes or onnx.ModelProto; external data is found only for a path
    dropout  "identity": ONNX's meaning; "scale": multiply by the keep probability 1 - ratio, for networks trained with
             the original dropout. The model's metadata "tinycnn.dropout" = "original" asks for the latter, too
    files    gets the absolute paths of the files that were read

    f16 weights become f32; `Graph.inputs` and the outputs' `Graph.specs` keep the declared dtypes.

    Raises ModelFormatError for what is no well-formed model, LimitError for one that is too large, and
    UnsupportedModelError with all problems for one that cannot run here.
    """
    if dropout not in DROPOUT:
        raise OptionError(f"dropout {dropout!r}: it must be one of {', '.join(DROPOUT)}")
    model = reader.read(source)
    try:
        graph = imported(model, dropout)
    except RecursionError:
        raise ModelFormatError("the model's subgraphs are nested too deeply") from None
    if files is not None and model.folder:
        files |= model.folder.used
    return graph


def imported(model: reader.Model, dropout: str) -> Graph:
    proto, builder, told = model.proto.graph, Builder(), signature.metadata(model.proto)
    builder.scale_dropout = dropout == "scale" or told.get("tinycnn.dropout") == "original"
    body = Body(model.proto, model.folder, builder)
    scope = Scope(ChainMap[str, str](), signature.versions(model.proto))
    body.initialisers(proto, scope, model.apart)
    declare_inputs(model.proto, builder, scope)
    outputs = tuple(value.name for value in proto.output)
    body.nodes(proto.node, scope, "the graph", outputs)
    for i, name in enumerate(outputs):
        if name not in scope.names:
            raise ModelFormatError(f"the graph's output {name!r} is never computed")
        if name in outputs[:i]:
            raise ModelFormatError(f"the graph has output {name!r} twice")
    if builder.problems:
        raise UnsupportedModelError(builder.problems)
    specs = signature.declared_specs(proto, builder.facts)
    graph = Graph(
        builder.inputs, tuple(scope.names[name] for name in outputs), tuple(builder.nodes), builder.constants,
        specs, tuple(builder.report), told, proto.name or "graph",
    )  # fmt: skip
    return verify(graph)


def declare_inputs(model: ModelProto, builder: Builder, scope: Scope) -> None:
    """The inputs that no initialiser makes constant."""
    for value in model.graph.input:
        name = value.name
        if name in builder.inputs:
            raise ModelFormatError(f"the graph has input {name!r} twice")
        if name in builder.constants:
            continue
        scope.names[name] = name
        builder.taken.add(name)
        builder.facts[name] = facts.of_declared(value.type)
        spec = signature.input_spec(value)
        if spec is not None:
            builder.inputs[name] = spec
        else:
            kind = (value.type.WhichOneof("value") or "untyped").removesuffix("_type")
            reason = f"it is {kind}, not a tensor, a sequence or an optional value"
            builder.problems.append(Problem(name, "input", scope.opsets[""], reason))
