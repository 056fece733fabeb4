"""ONNX models to graphs: every opset brought to the meaning of the newest, all problems collected."""

from collections import ChainMap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, ValueInfoProto

from tinycnn import knobs
from tinycnn.converters.onnx import attributes, facts, fallback, reader, structure, tensors
from tinycnn.converters.onnx.builder import NEWEST, Builder, fields_of
from tinycnn.converters.onnx.call import Call, Refusal
from tinycnn.converters.onnx.facts import Fact
from tinycnn.converters.onnx.lifts import lifts_of
from tinycnn.errors import LimitError, ModelFormatError, OptionError, Problem, UnsupportedModelError
from tinycnn.ir import Graph, TensorSpec, computed, verify
from tinycnn.ops import REGISTRY

STANDARD = ("", "ai.onnx")
DROPOUT = ("identity", "scale")
# Names that exporters write where they know none: not the same size everywhere.
PLACEHOLDERS = frozenset({"", "?", "*", "-1", "None", "none", "unk", "unknown"})
DEPTH = 60
# Kinds of inputs, beside tensors, that a session takes.
OPAQUE = frozenset({"sequence_type", "optional_type"})
# Operators that only move elements: what a wider dtype carries, they move as well.
MOVES = frozenset(
    "Identity Reshape Flatten Squeeze Unsqueeze Transpose Slice Split Concat Gather Expand Tile Shape Size".split()
)


def load_onnx(source: reader.Source, *, dropout: str = "identity") -> Graph:
    """The graph of an ONNX model of any opset.

    source   path, bytes or onnx.ModelProto; external data is found only for a path
    dropout  "identity": ONNX's meaning; "scale": multiply by the keep probability 1 - ratio, for networks trained with
             the original dropout. The model's metadata "tinycnn.dropout" = "original" asks for the latter, too

    f16 weights become f32; `Graph.inputs` and the outputs' `Graph.specs` keep the declared dtypes.

    Raises ModelFormatError for what is no well-formed model, LimitError for one that is too large, and
    UnsupportedModelError with all problems for one that cannot run here.
    """
    if dropout not in DROPOUT:
        raise OptionError(f"dropout {dropout!r}: it must be one of {', '.join(DROPOUT)}")
    model, folder = reader.read(source)
    return Importer(model, folder, dropout).graph()


@dataclass(frozen=True)
class Scope:
    """Where nodes stand: in the graph itself, in a branch, or in a function.

    names   value name in the file -> value name in the graph
    opsets  domain -> version
    given   attributes of the function call around
    prefix  of names of values and nodes made here
    """

    names: ChainMap[str, str]
    opsets: Mapping[str, int]
    given: Mapping[str, AttributeProto] = field(default_factory=dict)
    prefix: str = ""
    depth: int = 0


class Importer:
    def __init__(self, model: ModelProto, folder: str | None, dropout: str):
        self.model, self.folder = model, folder
        self.functions = {(f.domain, f.name, f.overload): f for f in model.functions}
        self.metadata = {entry.key: entry.value for entry in model.metadata_props}
        self.builder = Builder()
        self.builder.scale_dropout = dropout == "scale" or self.metadata.get("tinycnn.dropout") == "original"
        self.opsets = versions(model)

    def graph(self) -> Graph:
        proto, builder = self.model.graph, self.builder
        self.check_opsets()
        names = ChainMap[str, str]()
        scope = Scope(names, self.opsets)
        self.initialisers(proto, scope)
        for value in proto.input:
            if value.name in builder.inputs:
                raise ModelFormatError(f"the graph has input {value.name!r} twice")
            if value.name not in builder.constants:
                builder.taken.add(value.name)
                self.input(value)
                names[value.name] = value.name
        outputs = tuple(value.name for value in proto.output)
        self.nodes(proto.node, scope, "the graph", outputs)
        for name in outputs:
            if name not in names:
                raise ModelFormatError(f"the graph's output {name!r} is never computed")
        if builder.problems:
            raise UnsupportedModelError(builder.problems)
        graph = Graph(
            builder.inputs, tuple(names[name] for name in outputs), tuple(builder.nodes), builder.constants,
            self.specs(proto), tuple(builder.report), self.told(), proto.name or "graph",
        )  # fmt: skip
        return verify(graph)

    def check_opsets(self) -> None:
        version = self.opsets[""]
        if not 1 <= version <= NEWEST:
            remedy = "upgrade the onnx package, or export the model to an older opset"
            reason = f"the installed onnx package knows opsets 1 to {NEWEST}"
            raise UnsupportedModelError([Problem(self.model.graph.name, "the model", version, reason, remedy=remedy)])

    def input(self, value: ValueInfoProto) -> None:
        name = value.name
        kind = value.type.WhichOneof("value") or "untyped"
        if kind in OPAQUE:
            self.builder.inputs[name] = TensorSpec.unknown()
            self.builder.facts[name] = Fact(opaque=True)
            return
        if kind != "tensor_type":
            reason = f"it is {kind.removesuffix('_type')}, not a tensor, a sequence or an optional value"
            self.builder.problems.append(Problem(name, "input", self.opsets[""], reason))
            return
        spec = spec_of(value)
        if spec is None:
            element = tensors.element_name(value.type.tensor_type.elem_type)
            raise ModelFormatError(f"input {name!r} has the unknown {element}")
        if spec.is_static and spec.nbytes > knobs.MEMORY.get():
            raise LimitError(f"input {name!r} of {spec} needs {spec.nbytes} bytes, the limit is {knobs.MEMORY.get()}")
        self.builder.inputs[name] = spec
        self.builder.facts[name] = facts.of_declared(value.type)

    def initialisers(self, proto: GraphProto, scope: Scope) -> None:
        """Those of a graph become constants, also where they are inputs, too."""
        arrays: list[tuple[str, Any, Callable[..., np.ndarray], int]] = [
            (tensor.name, tensor, tensors.to_array, tensor.data_type) for tensor in proto.initializer
        ]
        arrays += [(s.values.name, s, reader.dense, s.values.data_type) for s in proto.sparse_initializer]
        for name, tensor, read, element in arrays:
            if name in scope.names.maps[0]:
                raise ModelFormatError(f"initialiser {name!r} is defined twice")
            if not name:
                raise ModelFormatError("an initialiser has no name")
            scope.names[name] = self.builder.fresh(scope.prefix + name)
            self.builder.define(scope.names[name], read(tensor, self.folder), element)

    def nodes(self, nodes: Sequence[NodeProto], scope: Scope, where: str, results: Iterable[str]) -> None:
        """Converts a body of nodes whose `results` are read outside of it."""
        if scope.depth > DEPTH:
            raise ModelFormatError(f"{where} is nested more than {DEPTH} deep, or calls itself")
        read = {name for node in nodes for name in (*node.input, *structure.captured(node))}.union(results)
        for node in structure.ordered(nodes, scope.names, where):
            for output in node.output:
                if output:
                    scope.names[output] = self.builder.fresh(scope.prefix + output)
            try:
                self.node(node, scope, read)
            except Refusal as refusal:
                self.builder.problems.append(refusal.problem)

    def node(self, node: NodeProto, scope: Scope, read: Collection[str]) -> None:
        """Converts one node. read: the values of its body that are read anywhere."""
        domain = "" if node.domain in STANDARD else node.domain
        protos = attributes.protos(node, scope.given)
        if function := self.functions.get((node.domain, node.op_type, node.overload)):
            self.inline(node, function, protos, scope)
            return
        call = Call(
            node, node.op_type, domain, scope.opsets.get(domain, 0), scope.prefix + structure.label(node),
            [scope.names[name] if name else "" for name in node.input],
            [scope.names[name] if name else "" for name in node.output],
            {name: attributes.value(a, self.folder) for name, a in protos.items()}, self.builder,
        )  # fmt: skip
        if node.op_type == "If" and not domain and (condition := call.value(0)) is not None and condition.size == 1:
            self.branch(call, bool(condition.item()), scope)
            return
        schema = schema_of(call)
        if schema is not None:
            check_arity(call, schema)
            check_attributes(call, schema)
            drop_unread(call, schema, read)
        lifted, call.left = False, schema is not None and not fits_class(call, schema)
        for item in () if call.left else lifts_of(call):
            item.rewrite(call)
            if call.done:
                return
            if call.left:
                break
            if item.last < NEWEST and not domain:
                lifted = True
        if schema is None or schema.deprecated:
            raise unknown(call)
        if lifted:
            call.say("lifted", f"from opset {call.opset}")
        self.finish(call, schema, protos, scope, lifted)

    def finish(
        self, call: Call, schema: onnx.defs.OpSchema, protos: Mapping[str, AttributeProto], scope: Scope, lifted: bool
    ) -> None:
        """Adds the call's operator; one without a class goes to the reference evaluator."""
        builder = self.builder
        if not call.domain and call.kind in REGISTRY and not call.left:
            fields, unknown_names = fields_of(REGISTRY[call.kind], call.attributes)
            for name in unknown_names:
                builder.problems.append(call.problem("not understood here", name, "remove it if it is not needed"))
            try:
                op = REGISTRY[call.kind](**fields)
            except TypeError as error:
                raise call.refusal(str(error)) from None
            builder.add(op, call.inputs, call.outputs, call.name, schema, call.attributes)
        elif lifted and not call.left:
            builder.operator(call.kind, call.inputs, call.outputs, call.attributes, call.name)
        else:
            own = set(call.proto.input)
            captured = [name for name in structure.captured(call.proto) if name not in own]
            inputs = [*call.inputs, *(scope.names[name] for name in captured)]
            op = fallback.of_node(
                call.proto, list(protos.values()), captured, scope.opsets,
                list(self.model.functions) if captured else (),
                [builder.facts.get(name, facts.NOTHING).coded for name in inputs],
            )  # fmt: skip
            if reason := op.problem():
                raise call.refusal(reason)
            call.say("left", "to the onnx package's reference evaluator")
            builder.add(op, inputs, call.outputs, call.name, schema, call.attributes)

    def inline(
        self, node: NodeProto, function: FunctionProto, protos: Mapping[str, AttributeProto], scope: Scope
    ) -> None:
        """The body of a local function in place of its call."""
        label = scope.prefix + structure.label(node)
        if len(node.input) > len(function.input) or len(node.output) > len(function.output):
            raise ModelFormatError(f"{node.op_type} {label!r} does not fit its function's inputs and outputs")
        given = {a.name: a for a in function.attribute_proto} | dict(protos)
        operands = zip(function.input, node.input, strict=False)
        names = ChainMap({formal: scope.names[actual] for formal, actual in operands if actual})
        own = {"" if o.domain in STANDARD else o.domain: o.version for o in function.opset_import}
        inner = Scope(names, own or scope.opsets, given, f"{label}/", scope.depth + 1)
        absent = set(function.input) - set(names)
        body = [without(n, absent) for n in function.node] if absent else function.node
        self.nodes(body, inner, f"function {function.name!r}", function.output)
        self.bind_outputs(node.output, function.output, scope, inner, label)
        self.builder.say(label, node.op_type, "inlined", "local function")

    def branch(self, call: Call, condition: bool, scope: Scope) -> None:
        """The branch that a constant condition takes, in place of the If."""
        chosen = call.take("then_branch" if condition else "else_branch")
        if not isinstance(chosen, GraphProto):
            raise call.refusal("a branch is missing")
        inner = Scope(scope.names.new_child(), scope.opsets, scope.given, f"{call.name}/", scope.depth + 1)
        self.initialisers(chosen, inner)
        results = [value.name for value in chosen.output]
        self.nodes(chosen.node, inner, f"a branch of If {call.name!r}", results)
        self.bind_outputs(call.proto.output, results, scope, inner, call.name)
        call.say("folded", f"to its {'then' if condition else 'else'} branch")

    def bind_outputs(self, outer: Sequence[str], inner: Sequence[str], scope: Scope, body: Scope, label: str) -> None:
        """Joins the outputs of an inlined body to the names that the outside reads."""
        for name, result in zip(outer, inner, strict=False):
            if not name:
                continue
            if result not in body.names:
                raise ModelFormatError(f"{label!r} never computes its output {result!r}")
            self.builder.operator("Identity", [body.names[result]], [scope.names[name]], {}, label)

    def specs(self, proto: GraphProto) -> dict[str, TensorSpec]:
        """Declared types: of the outputs as declared, of values inside as they are computed here."""
        result = {}
        outputs = {value.name for value in proto.output}
        for value in (*proto.value_info, *proto.output):
            spec = spec_of(value) if value.name in self.builder.facts or value.name in outputs else None
            if spec is not None:
                inside = value.name not in outputs
                result[value.name] = TensorSpec(spec.shape, computed(spec.dtype)) if inside else spec
        return result

    def told(self) -> dict[str, str]:
        """What the model says of itself."""
        model = self.model
        return self.metadata | {
            "producer_name": model.producer_name,
            "producer_version": model.producer_version,
            "domain": model.domain,
            "model_version": str(model.model_version),
            "description": model.doc_string,
            "graph_description": model.graph.doc_string,
        }


def versions(model: ModelProto) -> dict[str, int]:
    """Domain -> opset. Files from before opsets had names mean opset 1."""
    result = {"" if o.domain in STANDARD else o.domain: o.version for o in model.opset_import}
    return {"": 1} | result


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
    label = schema.inputs[0].type_str
    allowed = next((c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == label), [label])
    return not any(facts.of_element(facts.element_of_type(text)).dtype == dtype for text in allowed)


def newest_default(call: Call, name: str) -> Any:
    try:
        schema = onnx.defs.get_schema(call.kind, NEWEST, call.domain) if not call.domain else None
    except onnx.defs.SchemaError:
        schema = None
    return attributes.default(schema, name) if schema is not None and name in schema.attributes else None


def unknown(call: Call) -> Refusal:
    if not call.opset:
        return call.refusal(f"the model imports no opset of domain {call.domain!r}", remedy="add it to opset_import")
    if call.domain:
        return call.refusal("no operator of this domain is known here", remedy="export with standard operators")
    return call.refusal(f"no such operator in opset {call.opset}", remedy="check its spelling and the opset")


def without(node: NodeProto, absent: set[str]) -> NodeProto:
    """A node of a function whose optional inputs the call left out."""
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = ["" if name in absent else name for name in node.input]
    return copy
