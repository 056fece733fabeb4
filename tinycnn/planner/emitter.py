"""One node becomes rows: where its values lie, and what its kernels are given."""

import hashlib
from collections.abc import Callable

import numpy as np

from tinycnn.errors import LimitError
from tinycnn.kernels.kernel import Kernel
from tinycnn.kernels.lowering import Choice, Ref, Request, Stride
from tinycnn.planner.program import MOST, Step
from tinycnn.planner.writer import Writer


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
        self.parted = 0


def told(choice: Choice, rows: int) -> tuple[str, str]:
    """Algorithm and reason for people; what became free says so."""
    if choice.parts is not None and not rows:
        return "in place", "its inputs are computed where they belong in it"
    return choice.algorithm, choice.reason


def write_node(writer: Writer, request: Request, choice: Choice) -> None:
    """Writes the rows of one node, reorders of its inputs first."""
    first = len(writer.rows)
    if choice.view is not None:
        source = writer.locate_input(request, choice, choice.view)
        writer.places[request.node.outputs[0], choice.output] = source
    else:
        try:
            choice.emit(NodeEmitter(writer, request, choice))
        except OverflowError:
            what = f"{request.node.kind} {request.node.name!r}"
            raise LimitError(f"{what}: its attributes lead to addresses that do not fit 64 bits") from None
    parameters = sum(v.size for v in request.values if v is not None and v.dtype == np.float32)
    macs = request.op.macs(request.inputs, request.outputs)
    used = dict.fromkeys(writer.kernel_list[row.kernel].name for row in writer.rows[first:])
    step = Step(
        request.node.name or request.node.outputs[0],
        request.node.kind,
        *told(choice, len(writer.rows) - first),
        len(writer.rows) - first,
        macs,
        choice.time_s,
        tuple(request.inputs),
        tuple(request.outputs),
        parameters,
        tuple(used),
        macs if choice.macs is None else choice.macs,
    )
    writer.steps.append(step)
