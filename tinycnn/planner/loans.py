"""Inputs that rows may read where the caller has them, so that nothing is copied."""

from dataclasses import replace

from tinycnn.planner.program import Port, Program, decode
from tinycnn.planner.verify import accesses

# A smaller input is copied faster than its address is found.
LEAST_BYTES = 1 << 15


def lend(program: Program) -> Program:
    """A verified program, with the places of each large input that no row writes to or reads beyond the end of, and
    where no output lies. An array has nothing behind it that may be read, as values in the arena have."""
    handed_out = {port.buffer for port in program.outputs}
    inputs = [
        port if port.buffer in handed_out or port.spec.nbytes < LEAST_BYTES else with_places(program, port)
        for port in program.inputs
    ]
    return replace(program, inputs=tuple(inputs))


def with_places(program: Program, port: Port) -> Port:
    places = [
        (number, i, offset - port.offset)
        for number, row in enumerate(program.rows)
        for i, (f, slot) in enumerate(zip(program.kernels[row.kernel].fields, row.slots, strict=True))
        if f.is_address and slot
        for buffer, offset in [decode(slot)]
        if buffer == port.buffer
    ]
    stop = port.offset + port.spec.nbytes
    for number in {number for number, _, _ in places}:
        for buffer, first, last, writes in accesses(program, number):
            if buffer == port.buffer and (writes or first < port.offset or last > stop):
                return port
    return replace(port, places=tuple(places))
