"""A network made ready: rows of numbers, the memory they speak of, and why they are as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ir.memory import OVERREAD
from tinycnn.kernels.kernel import Kernel

# An address slot holds (buffer + 1) << OFFSET_BITS | byte offset, so that 0 is no address.
OFFSET_BITS = 40

# No number in a row is as large, so that sums and most products of them do not overflow.
MOST = 1 << 40


def encode(buffer: int, offset: int) -> int:
    return (buffer + 1) << OFFSET_BITS | offset


def decode(slot: int) -> tuple[int, int]:
    return (slot >> OFFSET_BITS) - 1, slot & ((1 << OFFSET_BITS) - 1)


@dataclass
class Buffer:
    """Memory that rows may speak of: a piece of the arena while rows [first, last] run, or packed weights.

    offset   bytes from the arena's start; None for weights
    weights  the packed block, for weights
    first    number of the first row that may touch it, `last` of the last
    scratch  whether it is one node's own, and holds no value
    """

    name: str
    nbytes: int
    offset: int | None = None
    weights: np.ndarray | None = None
    first: int = 1 << 60
    last: int = -1
    scratch: bool = False

    def touch(self, row: int) -> None:
        self.first, self.last = min(self.first, row), max(self.last, row)


@dataclass(frozen=True)
class Row:
    """One call of a kernel. `slots` has 8 bytes a field: see OFFSET_BITS for addresses; "code" is a kernel's number
    plus 1, or 0; f32 are bits."""

    kernel: int
    slots: tuple[int, ...]
    step: int


@dataclass(frozen=True)
class Step:
    """What one node became: for people. macs are multiply-adds by the operator's definition, executed_macs those that
    the algorithm does."""

    node: str
    operator: str
    algorithm: str
    reason: str
    rows: int
    macs: int
    predicted_s: float
    inputs: tuple[TensorSpec | None, ...]
    outputs: tuple[TensorSpec, ...]
    parameters: int
    kernels: tuple[str, ...] = ()
    executed_macs: int = 0


@dataclass(frozen=True)
class Port:
    """Where a value enters or leaves: plain layout, at the start of a buffer or inside.

    places  of an input that rows may read where the caller has it, all that name it: the row, the number of the slot,
            and the byte of the input; else none
    """

    name: str
    spec: TensorSpec
    buffer: int
    offset: int
    places: tuple[tuple[int, int, int], ...] = ()


@dataclass(frozen=True)
class Program:
    """Everything that one native call needs. Data only: it can be printed, verified and compared.

    threads   the most threads that may walk it: scratch is laid out for so many
    overread  bytes behind a buffer that kernels may read
    """

    kernels: tuple[Kernel, ...]
    rows: tuple[Row, ...]
    buffers: tuple[Buffer, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    arena_bytes: int
    target: str
    threads: int = 1
    overread: int = OVERREAD
    steps: tuple[Step, ...] = ()

    def values(self, row: Row) -> SimpleNamespace:
        """The row's slots by field name, undecoded."""
        names = (f.name for f in self.kernels[row.kernel].fields)
        return SimpleNamespace(**dict(zip(names, row.slots, strict=True)))

    @property
    def weight_bytes(self) -> int:
        blocks = {id(b.weights): b.nbytes for b in self.buffers if b.weights is not None}
        return sum(blocks.values())

    @property
    def predicted_s(self) -> float:
        return sum(step.predicted_s for step in self.steps)


def text(program: Program) -> Sequence[str]:
    """One line a row: node, kernel, fields; stable."""
    lines = []
    for row in program.rows:
        kernel = program.kernels[row.kernel]
        shown = []
        for f, slot in zip(kernel.fields, row.slots, strict=True):
            if f.is_address and slot:
                buffer, offset = decode(slot)
                shown.append(f"{f.name}={program.buffers[buffer].name}+{offset}")
            elif f.kind == "f32":
                shown.append(f"{f.name}={np.array([slot], np.int64).view(np.float32)[0]:g}")
            else:
                shown.append(f"{f.name}={slot}")
        lines.append(f"{program.steps[row.step].node}: {kernel.name}({', '.join(shown)})")
    return lines
