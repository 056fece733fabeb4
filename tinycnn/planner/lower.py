"""Graph to program: choose kernels node by node, insert reorders where layouts meet, write the rows."""

import collections
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tinycnn import knobs
from tinycnn.errors import LimitError, ProgramError
from tinycnn.ir import Graph, Node, TensorSpec
from tinycnn.ir.memory import OVERREAD
from tinycnn.kernels.cpu import reorder
from tinycnn.kernels.kernel import Kernel
from tinycnn.kernels.lowering import Choice, Layout, Ref, Request, Stride, Target, blocked_size, blocks, to_blocked
from tinycnn.planner import arena
from tinycnn.planner.concat import Parts, find_parts
from tinycnn.planner.program import MOST, Buffer, Port, Program, Row, Step, encode
from tinycnn.planner.select import Selection
from tinycnn.planner.tuned import Tuned
from tinycnn.planner.verify import verify
from tinycnn.planner.weights import WeightStore

Place = tuple[str, Layout]


@dataclass(frozen=True)
class Options:
    """What the user decides about a plan.

    algorithms  node name -> algorithm; under "" for all convolutions
    tuned       what was measured on this machine: see `select`
    """

    target: Target
    threads: int
    algorithms: Mapping[str, str] = field(default_factory=dict)
    tuned: Mapping[str, Tuned] = field(default_factory=dict)


def make_request(graph: Graph, node: Node, layouts: Mapping[str, Layout], options: Options) -> Request:
    def spec(name: str) -> TensorSpec | None:
        if not name:
            return None
        constant = graph.constant(name)
        return TensorSpec.of(constant) if constant is not None else graph.specs[name]

    return Request(
        node,
        [spec(name) for name in node.inputs],
        [graph.specs[name] for name in node.outputs if name],
        [graph.constant(name) for name in node.inputs],
        [layouts.get(name) for name in node.inputs],
        options.target,
        options.threads,
    )


class Writer:
    """Collects kernels, rows and buffers. Implements `Emitter` for the node at hand."""

    def __init__(self, graph: Graph, options: Options, store: WeightStore, parts: Parts):
        self.graph, self.options, self.store, self.parts = graph, options, store, parts
        self.kernels: dict[str, int] = {}
        self.kernel_list: list[Kernel] = []
        self.rows: list[Row] = []
        self.buffers: list[Buffer] = []
        self.parted: list[Ref] = []
        self.strides: list[tuple[int, int, int]] = []
        self.places: dict[Place, Ref] = {}
        self.weight_numbers: dict[int, int] = {}
        self.steps: list[Step] = []
        self.readers = {value: len(nodes) for value, nodes in graph.consumers().items()}
        for value in graph.outputs:
            self.readers[value] = self.readers.get(value, 0) + 1

    def buffer(self, name: str, nbytes: int, scratch: bool = False) -> Ref:
        self.buffers.append(Buffer(name, nbytes, scratch=scratch))
        return Ref(len(self.buffers) - 1)

    def apart(self, i: int, nbytes: int) -> Ref:
        """The i-th scratch for each thread that a node asks for: as large as the largest of all nodes'."""
        if i == len(self.parted):
            self.parted.append(self.buffer(f"scratch {i} of all threads", 0, scratch=True))
        buffer = self.buffers[self.parted[i].buffer]
        each = -(-nbytes // arena.ALIGNMENT) * arena.ALIGNMENT
        buffer.nbytes = max(buffer.nbytes, each * self.options.threads)
        return self.parted[i]

    def nbytes(self, spec: TensorSpec, layout: Layout) -> int:
        return 4 * blocked_size(spec.dims, self.options.target.lanes) if layout == "blocked" else spec.nbytes

    def new_value(self, name: str, spec: TensorSpec, layout: Layout) -> Ref:
        """Memory for a value: its own, or its part of the concat that takes it in."""
        part = self.parts.get(name)
        if part and part.layout == layout:
            whole = self.places.get((part.whole, layout)) or self.new_value(part.whole, part.spec, layout)
            ref = whole + part.offset
        else:
            ref = self.buffer(name, self.nbytes(spec, layout))
        self.places[name, layout] = ref
        return ref

    def pack(self, key: tuple[object, ...], constants: Sequence[np.ndarray], make: Callable[[], np.ndarray]) -> Ref:
        block = self.store.get(key, constants, make)
        if id(block) not in self.weight_numbers:
            self.weight_numbers[id(block)] = len(self.buffers)
            nbytes = block.nbytes - OVERREAD
            self.buffers.append(Buffer(str(key[0]), nbytes, weights=block))
        return Ref(self.weight_numbers[id(block)])

    def locate(self, name: str, spec: TensorSpec, layout: Layout) -> Ref:
        """The value in this layout; a constant is packed, anything else reordered, if it does not exist yet."""
        if (name, layout) in self.places:
            return self.places[name, layout]
        constant = self.graph.constant(name)
        if constant is not None:
            lanes = self.options.target.lanes
            return self.pack(
                (name, layout, lanes),
                [constant],
                lambda: to_blocked(constant, lanes) if layout == "blocked" else constant,
            )
        other: Layout = "plain" if layout == "blocked" else "blocked"
        source = self.places[name, other]
        target = self.new_value(name, spec, layout)
        kernel, values = reorder.reorder_row(layout, spec.dims, self.options.target.name)
        self.row(kernel, x=source, y=target, **values)
        return target

    def row(self, kernel: Kernel, **values: "int | float | Ref | Stride | Kernel") -> None:
        slots = []
        names = [f.name for f in kernel.fields]
        if set(values) != set(names):
            raise ProgramError(f"{kernel.name}: fields {sorted(values)} given, {sorted(names)} wanted")
        for f in kernel.fields:
            value = values[f.name]
            if isinstance(value, Ref):
                self.buffers[value.buffer].touch(len(self.rows))
                slots.append(encode(value.buffer, value.offset))
            elif isinstance(value, Stride):
                self.strides.append((len(self.rows), len(slots), value.buffer))
                slots.append(0)
            elif isinstance(value, Kernel):
                slots.append(self.number(value) + 1)
            elif f.kind == "f32":
                slots.append(int(np.float32(value).view(np.uint32)))
            else:
                slots.append(int(value))
        self.rows.append(Row(self.number(kernel), tuple(slots), len(self.steps)))

    def finished_rows(self) -> tuple[Row, ...]:
        """With the strides that are known when all rows are written."""
        for number, slot, buffer in self.strides:
            row = self.rows[number]
            stride = self.buffers[buffer].nbytes // self.options.threads
            self.rows[number] = replace(row, slots=(*row.slots[:slot], stride, *row.slots[slot + 1 :]))
        return tuple(self.rows)

    def number(self, kernel: Kernel) -> int:
        if kernel.name not in self.kernels:
            self.kernels[kernel.name] = len(self.kernel_list)
            self.kernel_list.append(kernel)
        return self.kernels[kernel.name]

    def node(self, request: Request, choice: Choice) -> None:
        """Writes the rows of one node, reorders of its inputs first."""
        first = len(self.rows)
        if choice.view is not None:
            source = self.locate_input(request, choice, choice.view)
            self.places[request.node.outputs[0], choice.output] = source
        else:
            try:
                choice.emit(NodeEmitter(self, request, choice))
            except OverflowError:
                what = f"{request.node.kind} {request.node.name!r}"
                raise LimitError(f"{what}: its attributes lead to addresses that do not fit 64 bits") from None
        parameters = sum(v.size for v in request.values if v is not None and v.dtype == np.float32)
        macs = request.op.macs(request.inputs, request.outputs)
        used = dict.fromkeys(self.kernel_list[row.kernel].name for row in self.rows[first:])
        step = Step(
            request.node.name or request.node.outputs[0],
            request.node.kind,
            *told(choice, len(self.rows) - first),
            len(self.rows) - first,
            macs,
            choice.time_s,
            tuple(request.inputs),
            tuple(request.outputs),
            parameters,
            tuple(used),
            macs if choice.macs is None else choice.macs,
        )
        self.steps.append(step)

    def owners(self, buffer: int) -> set[str]:
        """Names of the values that live in a buffer, in whichever layout."""
        return {name for (name, _), ref in self.places.items() if ref.buffer == buffer}

    def locate_input(self, request: Request, choice: Choice, i: int) -> Ref:
        layout, spec = choice.inputs[i], request.inputs[i]
        if layout is None or spec is None:
            raise ProgramError(
                f"{request.node.kind} {request.node.name!r} reads input {i}, which its choice did not ask for"
            )
        return self.locate(request.node.inputs[i], spec, layout)


def told(choice: Choice, rows: int) -> tuple[str, str]:
    """Algorithm and reason for people; what became free says so."""
    if choice.parts is not None and not rows:
        return "in place", "its inputs are computed where they belong in it"
    return choice.algorithm, choice.reason


class NodeEmitter:
    """The `Emitter` of one node."""

    def __init__(self, writer: Writer, request: Request, choice: Choice):
        self.writer, self.request, self.choice, self.parted = writer, request, choice, 0
        self.ins = {
            i: writer.locate_input(request, choice, i)
            for i, layout in enumerate(choice.inputs)
            if layout is not None and request.inputs[i] is not None
        }
        outputs = [name for name in request.node.outputs if name]
        self.outs = [self.place_output(name, i) for i, name in enumerate(outputs)]

    def place_output(self, name: str, i: int) -> Ref:
        """The output's memory: that of an input which is read here for the last time, where the choice allows it."""
        writer, choice = self.writer, self.choice
        spec = self.request.outputs[i]
        source = choice.in_place
        if source is not None and i == 0 and name not in writer.parts:
            value = self.request.node.inputs[source]
            ref = self.ins[source]
            owner = writer.buffers[ref.buffer]
            ours = value not in writer.graph.inputs or writer.options.target.owns_inputs
            sole = owner.weights is None and writer.owners(ref.buffer) == {value} and writer.readers.get(value) == 1
            if ours and sole and ref.offset == 0 and owner.nbytes == writer.nbytes(spec, choice.output):
                del writer.places[value, choice.output]
                writer.places[name, choice.output] = ref
                return ref
        return writer.places.get((name, choice.output)) or writer.new_value(name, spec, choice.output)

    def input(self, i: int) -> Ref:
        return self.ins[i]

    def output(self, i: int = 0) -> Ref:
        return self.outs[i]

    def placed(self, i: int) -> bool:
        part = self.writer.parts.get(self.request.node.inputs[i])
        return bool(part and part.whole == self.request.node.outputs[0] and part.layout == self.choice.output)

    def weights(self, key: str, make: Callable[[], np.ndarray]) -> Ref:
        constants = [value for value in self.request.values if value is not None]
        return self.writer.pack((self.request.node.outputs[0], key), constants, make)

    def table(self, values: np.ndarray) -> Ref:
        digest = hashlib.blake2b(values.tobytes(), digest_size=16).digest()
        return self.writer.pack(("table", values.dtype.str, digest), (), lambda: values)

    def scratch(self, nbytes: int) -> Ref:
        return self.writer.buffer(f"scratch of {self.request.node.outputs[0]}", nbytes, scratch=True)

    def apart(self, nbytes: int) -> Ref:
        if self.writer.options.threads == 1:
            return self.scratch(nbytes)  # where a value died lately, which the cache still holds
        self.parted += 1
        return self.writer.apart(self.parted - 1, nbytes)

    def row(self, kernel: Kernel, **values: "int | float | Ref | Stride | Kernel") -> None:
        for name, value in values.items():
            if not isinstance(value, Ref | Stride | Kernel | float) and abs(value) >= MOST:
                node = self.request.node
                raise LimitError(f"{node.kind} {node.name!r}: its {name} is {int(value):,}, which is beyond {MOST:,}")
        self.writer.row(kernel, **values)


def choose(graph: Graph, options: Options) -> list[tuple[Request, Choice]]:
    """What computes each node of a graph whose specs are all known and whose nodes all have kernels, in order."""
    layouts: dict[str, Layout] = dict.fromkeys(graph.inputs, "plain")
    selection = Selection(options.algorithms, options.tuned)
    chosen: list[tuple[Request, Choice]] = []
    for node in graph.nodes:
        request = make_request(graph, node, layouts, options)
        choice = selection.of(request)
        if choice is None:
            raise ProgramError(f"{node.kind} {node.name!r} has no kernel")
        chosen.append((request, choice))
        layouts.update(dict.fromkeys(filter(None, node.outputs), choice.output))
    return chosen


def one_by_one(
    graph: Graph, chosen: collections.deque[tuple[Request, Choice]], spends: bool
) -> Iterator[tuple[Request, Choice]]:
    """What was chosen, in order, and no longer here once it is handed out. `spends`: nor are constants in the graph
    when the last node that reads them is done."""
    last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    for i, node in enumerate(graph.nodes):
        yield chosen.popleft()
        if spends:
            assert isinstance(graph.constants, dict)
            for name in {name for name in node.inputs if last[name] == i}.difference(graph.outputs):
                graph.constants.pop(name, None)


def write(graph: Graph, options: Options, store: WeightStore, spends: bool = False) -> Program:
    """The verified program of a graph whose specs are all known and whose nodes all have kernels.

    spends  whether constants leave the graph's own dict as they are packed, so that who keeps no other reference to
            them holds none twice

    Raises LimitError when the arena, or a number in a row, is larger than allowed. Raises ProgramError when the result
    does not pass the verifier, which is a defect of ours, not of the model.
    """
    chosen = collections.deque(choose(graph, options))
    writer = Writer(graph, options, store, find_parts(graph, chosen))
    inputs = [feed(writer, name, spec, "plain") for name, spec in graph.inputs.items()]
    for request, choice in one_by_one(graph, chosen, spends):
        writer.node(request, choice)
    outputs = [finish_output(writer, graph, name) for name in graph.outputs]
    last = max(len(writer.rows) - 1, 0)
    for port in outputs:
        writer.buffers[port.buffer].touch(last)
    return finish(writer, inputs, outputs)


def feed(writer: Writer, name: str, spec: TensorSpec, layout: Layout) -> Port:
    """Where an input enters; a blocked one as the array that it is in memory, [n, blocks, *spatial, lanes]."""
    ref = writer.new_value(name, spec, layout)
    writer.buffers[ref.buffer].touch(0)
    if layout == "blocked":
        (n, c, *spatial), lanes = spec.dims, writer.options.target.lanes
        spec = spec.with_shape((n, blocks(c, lanes), *spatial, lanes))
    return Port(name, spec, ref.buffer, ref.offset)


def finish(writer: Writer, inputs: Sequence[Port], outputs: Sequence[Port]) -> Program:
    """Places all values in the arena, and verifies what was written."""
    options = writer.options
    size = arena.place(writer.buffers)
    if size > knobs.MEMORY.get():
        largest = max((b for b in writer.buffers if b.weights is None), key=lambda b: b.nbytes)
        raise LimitError(
            f"all values that live at once need {size:,} bytes, the largest is {largest.name!r}; at most "
            f"{knobs.MEMORY.get():,} are allowed, the environment variable {knobs.MEMORY.name} sets how many"
        )
    program = Program(
        tuple(writer.kernel_list), writer.finished_rows(), tuple(writer.buffers), tuple(inputs), tuple(outputs), size,
        options.target.name, options.threads, options.target.overread, tuple(writer.steps),
    )  # fmt: skip
    return verify(program)


def finish_output(writer: Writer, graph: Graph, name: str) -> Port:
    """A result in the plain layout; reorders that only serve results stand as a step of their own."""
    spec = graph.specs.get(name) or graph.inputs[name]
    before = len(writer.rows)
    ref = writer.locate(name, spec, "plain")
    if len(writer.rows) > before:
        reason, rows = "results leave in the plain layout", len(writer.rows) - before
        step = Step(name, "Output", "reorder", reason, rows, 0, 0.0, (spec,), (spec,), 0)
        writer.steps.append(step)
    return Port(name, spec, ref.buffer, ref.offset)
