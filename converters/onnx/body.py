"""Nodes to operators: of the graph itself, of functions and of branches, which are written in place of their calls."""

from collections import ChainMap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import onnx
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto

from tinycnn.converters.onnx import attributes, conformity, facts, fallback, reader, structure, tensors
from tinycnn.converters.onnx.builder import NEWEST, Builder, fields_of
from tinycnn.converters.onnx.call import Call, Refusal
from tinycnn.converters.onnx.external import Folder
from tinycnn.converters.onnx.lifts import lifts_of
from tinycnn.converters.onnx.signature import STANDARD
from tinycnn.converters.onnx.wire import Apart
from tinycnn.errors import LimitError, ModelFormatError, ShapeError, TinyCnnError
from tinycnn.ops import REGISTRY

DEPTH = 60  # of calls within calls
INLINED_NODES = 200_000  # functions that call each other twice each would grow without end


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


class Body:
    """Converts bodies of nodes into a builder. functions: the model's own, by domain, name and overload."""

    def __init__(self, model: ModelProto, folder: Folder | None, builder: Builder):
        self.functions = {(f.domain, f.name, f.overload): f for f in model.functions}
        self.folder, self.builder = folder, builder
        self.inlined = 0

    def initialisers(self, proto: GraphProto, scope: Scope, apart: Apart | None = None) -> None:
        """Those of a graph become constants, also where they are inputs, too. apart: data that are not in the proto."""
        arrays: list[tuple[str, Callable[[], np.ndarray], int]] = [
            (t.name, partial(tensors.to_array, t, self.folder, (apart or {}).get(i)), t.data_type)
            for i, t in enumerate(proto.initializer)
        ]
        sparse = proto.sparse_initializer
        arrays += [(s.values.name, partial(reader.dense, s, self.folder), s.values.data_type) for s in sparse]
        for name, read, element in arrays:
            if name in scope.names.maps[0]:
                raise ModelFormatError(f"initialiser {name!r} is defined twice")
            if not name:
                raise ModelFormatError("an initialiser has no name")
            scope.names[name] = self.builder.fresh(scope.prefix + name)
            self.builder.define(scope.names[name], read(), element)

    def nodes(self, nodes: Sequence[NodeProto], scope: Scope, where: str, results: Iterable[str]) -> None:
        """Converts a body of nodes whose `results` are read outside of it. Problems are collected in the builder."""
        if scope.depth > DEPTH:
            raise ModelFormatError(f"{where} is nested more than {DEPTH} deep, or calls itself")
        self.inlined += len(nodes) if scope.depth else 0
        if self.inlined > INLINED_NODES:
            raise LimitError(f"the model's functions come to more than {INLINED_NODES} nodes")
        read = {name for node in nodes for name in (*node.input, *structure.captured(node))}.union(results)
        for node in structure.ordered(nodes, scope.names, where):
            for output in node.output:
                if output:
                    scope.names[output] = self.builder.fresh(scope.prefix + output)
            protos = attributes.protos(node, scope.given)
            if function := self.functions.get((node.domain, node.op_type, node.overload)):
                self.inline(node, function, protos, scope)
                continue
            call = self.call(node, protos, scope)
            try:
                self.node(call, protos, scope, read)
            except Refusal as refusal:
                self.builder.problems.append(refusal.problem)
            except ShapeError as error:
                self.builder.problems.append(call.problem(str(error)))
            except TinyCnnError:
                raise
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                # A lift met values of a shape or type that no definition allows.
                self.builder.problems.append(call.problem(f"malformed: {error}"))

    def call(self, node: NodeProto, protos: Mapping[str, AttributeProto], scope: Scope) -> Call:
        domain = "" if node.domain in STANDARD else node.domain
        return Call(
            node, node.op_type, domain, scope.opsets.get(domain, 0), scope.prefix + structure.label(node),
            [scope.names[name] if name else "" for name in node.input],
            [scope.names[name] if name else "" for name in node.output],
            {name: attributes.value(a, self.folder) for name, a in protos.items()}, self.builder,
        )  # fmt: skip

    def node(self, call: Call, protos: Mapping[str, AttributeProto], scope: Scope, read: Collection[str]) -> None:
        """Converts one node. read: the values of its body that are read anywhere."""
        if call.kind == "If" and not call.domain and (condition := call.value(0)) is not None and condition.size == 1:
            self.branch(call, bool(condition.item()), scope)
            return
        schema = conformity.schema_of(call)
        if schema is not None:
            conformity.check_arity(call, schema)
            conformity.check_attributes(call, schema)
            conformity.drop_unread(call, schema, read)
        lifted, call.left = False, schema is not None and not conformity.fits_class(call, schema)
        for item in () if call.left else lifts_of(call):
            said, made = len(self.builder.report), len(self.builder.nodes)
            item.rewrite(call)
            if call.done:
                if len(self.builder.report) == said:
                    call.say("lifted", f"to {', '.join(node.kind for node in self.builder.nodes[made:])}")
                return
            if call.left:
                break
            lifted = lifted or (item.last < NEWEST and not call.domain)
        if schema is None or schema.deprecated:
            raise conformity.unknown(call)
        if lifted:
            call.say("lifted", f"from opset {call.opset}")
        if call.left or ((call.domain or call.kind not in REGISTRY) and not lifted):
            self.leave(call, schema, protos, scope)
        elif call.kind in REGISTRY:
            self.finish(call, schema)
        else:
            self.builder.operator(call.kind, call.inputs, call.outputs, call.attributes, call.name)

    def finish(self, call: Call, schema: onnx.defs.OpSchema) -> None:
        """Adds the call's operator."""
        fields, unknown = fields_of(REGISTRY[call.kind], call.attributes)
        for name in unknown:
            self.builder.problems.append(call.problem("not understood here", name, "remove it if it is not needed"))
        op = REGISTRY[call.kind](**fields)
        self.builder.add(op, call.inputs, call.outputs, call.name, schema, call.attributes)

    def leave(self, call: Call, schema: onnx.defs.OpSchema, protos: Mapping[str, AttributeProto], scope: Scope) -> None:
        """Leaves a node, as it stands in the file, to the reference evaluator."""
        if any(tensors.is_external(tensor) for tensor in structure.inner_tensors(call.proto)):
            raise call.refusal("its subgraph's data lies in another file", remedy="store it in the model itself")
        own = set(call.proto.input)
        captured = [name for name in structure.captured(call.proto) if name not in own]
        inputs = [*call.inputs, *(scope.names[name] for name in captured)]
        op = fallback.of_node(
            call.proto, attributes.single_precision(protos.values(), self.folder), captured, scope.opsets,
            list(self.functions.values()) if captured else (),
            [self.builder.facts.get(name, facts.NOTHING).coded for name in inputs],
        )  # fmt: skip
        if reason := op.problem():
            raise call.refusal(reason)
        call.say("left", "to the onnx package's reference evaluator")
        self.builder.add(op, inputs, call.outputs, call.name, schema, call.attributes)

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


def without(node: NodeProto, absent: set[str]) -> NodeProto:
    """A node of a function whose optional inputs the call left out."""
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = ["" if name in absent else name for name in node.input]
    return copy
