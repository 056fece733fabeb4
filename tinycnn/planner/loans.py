"""Inputs that rows may read where the caller has them: no row reads beyond their end or writes to them, and no output
lies there."""

from collections.abc import Sequence

from tinycnn.planner.program import Port, Program, decode
from tinycnn.planner.verify import accesses

# A smaller input is copied faster than its address is found.
LEAST_BYTES = 1 << 15

# The row, the number of the slot, and the byte of the input that it names.
Place = tuple[int, int, int]


def loans(program: Program) -> list[Sequence[Place]]:
    """For each input of a verified program the slots that hold its address; none where it must be copied.

    An array has nothing behind it that may be read, as values in the arena have.
    """
    return [places(program, port) for port in program.inputs]


def places(program: Program, port: Port) -> Sequence[Place]:
    if port.spec.nbytes < LEAST_BYTES or any(output.buffer == port.buffer for output in program.outputs):
        return []
    found = slots(program, port.buffer)
    stop = port.offset + port.spec.nbytes
    for number in {number for number, _, _ in found}:
        for buffer, first, last, writes in accesses(program, number):
            if buffer == port.buffer and (writes or first < port.offset or last > stop):
                return []
    return [(row, slot, offset - port.offset) for row, slot, offset in found]


def slots(program: Program, buffer: int) -> Sequence[Place]:
    """Those that name a buffer."""
    return [
        (number, i, offset)
        for number, row in enumerate(program.rows)
        for i, (f, slot) in enumerate(zip(program.kernels[row.kernel].fields, row.slots, strict=True))
        if f.is_address and slot
        for index, offset in [decode(slot)]
        if index == buffer
    ]
