"""The proof that a program touches only what it was given. Nothing runs without it."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np

from tinycnn.errors import ProgramError
from tinycnn.ir.memory import OVERREAD
from tinycnn.kernels.kernel import Kernel, Range
from tinycnn.planner.program import MOST, Program, Row, decode


def verify(program: Program) -> Program:
    """Returns the program itself.

    Raises ProgramError, naming node, kernel and field, when a row reads or writes outside the buffer that it names,
    names a buffer outside its lifetime, writes to weights, calls what is no routine, when two buffers alive at the same
    row share bytes of the arena, or when a port lies outside its buffer.
    """
    check_buffers(program)
    for number, row in enumerate(program.rows):
        if not 0 <= row.kernel < len(program.kernels):
            raise ProgramError(f"row {number}: kernel number {row.kernel} does not exist")
        kernel = program.kernels[row.kernel]
        if len(row.slots) != len(kernel.fields):
            raise ProgramError(f"row {number}: {kernel.name} takes {len(kernel.fields)} fields, not {len(row.slots)}")
        where = f"row {number} ({program.steps[row.step].node!r}): {kernel.name}"
        if kernel.is_routine:
            raise ProgramError(f"{where}: only other kernels may call it")
        values = program.values(row)
        ranges = declared_ranges(program, kernel, readable(program, row, where), where)
        covered = {r.field for r in ranges}
        for f, slot in zip(kernel.fields, row.slots, strict=True):
            if f.kind == "int" and slot < 0:
                raise ProgramError(f"{where}, {f.name}: {slot} is negative")
            if f.kind in ("int", "signed") and abs(slot) >= MOST:
                raise ProgramError(f"{where}, {f.name}: {slot} is beyond {MOST}")
            if f.kind == "addr" and slot and f.name not in covered:
                raise ProgramError(f"{where}, {f.name}: the kernel declares no range for it")
        for r in ranges:
            if r.stop != r.start:
                check_range(program, number, f"{where}, {r.field}", getattr(values, r.field), r)
    for port in (*program.inputs, *program.outputs):
        end = port.offset + port.spec.nbytes
        inside = 0 <= port.buffer < len(program.buffers) and 0 <= port.offset
        if not inside or end > program.buffers[port.buffer].nbytes:
            raise ProgramError(f"{port.name!r} lies outside its buffer")
    return program


def readable(program: Program, row: Row, where: str) -> SimpleNamespace:
    """The row's values as `ranges` takes them: tables by their contents."""
    values = program.values(row)
    for f in program.kernels[row.kernel].fields:
        if f.kind == "table":
            index, offset = decode(getattr(values, f.name))
            weights = program.buffers[index].weights if 0 <= index < len(program.buffers) else None
            if weights is None or offset % 8:
                raise ProgramError(f"{where}, {f.name}: no table")
            stop = program.buffers[index].nbytes // 8 * 8
            setattr(values, f.name, weights[offset:stop].view(np.int64))
    return values


def declared_ranges(program: Program, kernel: Kernel, values: SimpleNamespace, where: str) -> list[Range]:
    """What the kernel says that it touches, and the arguments of the routines that it calls."""
    try:
        ranges = list(kernel.ranges(values))
    except (ArithmeticError, LookupError, ValueError) as error:
        raise ProgramError(f"{where}: its numbers contradict each other: {error}") from None
    for f in kernel.fields:
        slot = getattr(values, f.name)
        if f.kind == "code" and slot:
            if not 0 < slot <= len(program.kernels) or not program.kernels[slot - 1].is_routine:
                raise ProgramError(f"{where}, {f.name}: {slot} is not the number of a routine")
            ranges.append(Range(f"{f.name}_args", 0, 8 * len(program.kernels[slot - 1].fields)))
    return ranges


def accesses(program: Program, number: int) -> Iterator[tuple[int, int, int, bool]]:
    """What a row of a verified program may touch: (buffer, first byte, byte behind the last, whether it writes)."""
    row, where = program.rows[number], f"row {number}"
    values = program.values(row)
    for r in declared_ranges(program, program.kernels[row.kernel], readable(program, row, where), where):
        slot = getattr(values, r.field)
        if slot and r.start != r.stop:
            index, offset = decode(slot)
            yield index, offset + r.start, offset + r.stop * (program.threads if r.per_thread else 1), r.writes


def check_range(program: Program, number: int, where: str, slot: int, r: Range) -> None:
    start, writes = r.start, r.writes
    stop = r.stop * (program.threads if r.per_thread else 1)
    index, offset = decode(slot)
    if not slot or not 0 <= index < len(program.buffers):
        raise ProgramError(f"{where}: no such buffer")
    buffer = program.buffers[index]
    limit = buffer.nbytes + (0 if writes else program.overread)
    if not 0 <= offset + start < offset + stop <= limit:
        raise ProgramError(
            f"{where}: {'writes' if writes else 'reads'} bytes {offset + start} to {offset + stop} of {buffer.name!r}, "
            f"which has {buffer.nbytes}"
        )
    if buffer.weights is not None:
        if writes:
            raise ProgramError(f"{where}: writes to weights")
    elif not buffer.first <= number <= buffer.last:
        raise ProgramError(f"{where}: {buffer.name!r} lives from row {buffer.first} to {buffer.last} only")


def check_buffers(program: Program) -> None:
    arena = [b for b in program.buffers if b.weights is None]
    for b in program.buffers:
        if b.weights is not None and b.nbytes > b.weights.nbytes - OVERREAD:
            raise ProgramError(f"{b.name!r}: {b.nbytes} bytes claimed of a block of {b.weights.nbytes}")
        if b.weights is None and (b.offset is None or b.offset < 0 or b.offset + b.nbytes > program.arena_bytes):
            raise ProgramError(f"{b.name!r} lies outside the arena")
    alive: list[tuple[int, int, int, str]] = []
    for b in sorted(arena, key=lambda b: b.first):
        assert b.offset is not None
        alive = [a for a in alive if a[2] >= b.first]
        for start, stop, _, name in alive:
            if start < b.offset + b.nbytes and b.offset < stop:
                raise ProgramError(f"{b.name!r} and {name!r} share bytes while both live")
        alive.append((b.offset, b.offset + b.nbytes, b.last, b.name))
