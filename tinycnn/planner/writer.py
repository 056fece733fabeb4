"""The rows of a program, and the memory that they speak of, as they are written."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tinycnn.errors import ProgramError
from tinycnn.ir import Graph, TensorSpec
from tinycnn.ir.memory import OVERREAD
from tinycnn.kernels.cpu import reorder
from tinycnn.kernels.kernel import Kernel
from tinycnn.kernels.lowering import Choice, Layout, Ref, Request, Stride, blocked_size, to_blocked
from tinycnn.planner import arena
from tinycnn.planner.choose import Options
from tinycnn.planner.concat import Parts
from tinycnn.planner.program import Buffer, Row, Step, encode
from tinycnn.planner.weights import WeightStore

Place = tuple[str, Layout]


class Writer:
    """Collects kernels, rows and buffers, of one node after another."""

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
        """The i-th scratch for each thread that a row asks for: as large as the largest of all rows'."""
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
