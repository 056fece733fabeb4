"""A corrupted program is refused, or does no harm: every slot of every row of small programs, changed in many ways."""

import ctypes
import dataclasses
import mmap
import os
import re
import signal
import traceback
from collections.abc import Iterable, Iterator
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from tests.planner.programs import PROGRAMS, THREADS
from tinycnn.errors import ProgramError
from tinycnn.ir.memory import OVERREAD
from tinycnn.kernels.cpu import all_kernels, isa, limits, native
from tinycnn.kernels.cpu.walk import walk
from tinycnn.planner.program import Buffer, Program, decode, encode
from tinycnn.planner.verify import readable, verify
from tinycnn.runtime.team import ENTRY

SECONDS = 300  # before a child that hangs is ended


@cache
def sample(name: str = "direct") -> Program:
    return PROGRAMS[name]()


def changed(program: Program, **changes: object) -> Program:
    return dataclasses.replace(program, **changes)


def with_slot(program: Program, row: int, slot: int, value: int) -> Program:
    slots = list(program.rows[row].slots)
    slots[slot] = value
    rows = list(program.rows)
    rows[row] = dataclasses.replace(rows[row], slots=tuple(slots))
    return changed(program, rows=tuple(rows))


def with_buffer(program: Program, number: int, **changes: object) -> Program:
    buffers = [dataclasses.replace(b) for b in program.buffers]
    buffers[number] = dataclasses.replace(buffers[number], **changes)
    return changed(program, buffers=tuple(buffers))


def arena(program: Program) -> list[int]:
    return [i for i, b in enumerate(program.buffers) if b.weights is None]


def addresses(program: Program) -> Iterator[tuple[int, int]]:
    """(row, slot) of every address."""
    for number, row in enumerate(program.rows):
        for i, f in enumerate(program.kernels[row.kernel].fields):
            if f.is_address and row.slots[i]:
                yield number, i


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_sound_program_passes(name: str) -> None:
    assert verify(sample(name)) is sample(name)


def test_a_kernel_that_does_not_exist_is_refused() -> None:
    p = sample()
    for number in (-1, len(p.kernels)):
        with pytest.raises(ProgramError, match="kernel number"):
            verify(changed(p, rows=(dataclasses.replace(p.rows[0], kernel=number), *p.rows[1:])))


def test_a_row_with_too_few_or_many_slots_is_refused() -> None:
    p = sample()
    for slots in (p.rows[0].slots[:-1], (*p.rows[0].slots, 0)):
        with pytest.raises(ProgramError, match="fields, not"):
            verify(changed(p, rows=(dataclasses.replace(p.rows[0], slots=slots), *p.rows[1:])))


def test_an_address_beyond_its_buffer_is_refused() -> None:
    p = sample()
    for row, slot in addresses(p):
        buffer, _ = decode(p.rows[row].slots[slot])
        for offset in (p.buffers[buffer].nbytes + OVERREAD, 1 << 39):
            with pytest.raises(ProgramError, match=re.escape(p.kernels[p.rows[row].kernel].name)):
                verify(with_slot(p, row, slot, encode(buffer, offset)))


def test_an_address_without_a_buffer_is_refused() -> None:
    p = sample()
    for row, slot in addresses(p):
        for value in (encode(len(p.buffers), 0), 1, -1, encode(0, 0) - 1):
            with pytest.raises(ProgramError):
                verify(with_slot(p, row, slot, value))


def test_a_row_outside_a_buffers_lifetime_is_refused() -> None:
    p = sample("classifier")
    for number in arena(p):
        b = p.buffers[number]
        for changes in ({"first": b.first + 1}, {"last": b.last - 1}):
            with pytest.raises(ProgramError):
                verify(with_buffer(p, number, **changes))


def test_buffers_that_overlap_while_both_live_are_refused() -> None:
    p = sample("classifier")
    refused = 0
    for one in arena(p):
        for other in arena(p):
            a, b = p.buffers[one], p.buffers[other]
            if one != other and a.first <= b.last and b.first <= a.last:
                refused += 1
                with pytest.raises(ProgramError, match=r"share bytes|outside the arena"):
                    verify(with_buffer(p, one, offset=b.offset))
    assert refused >= len(p.rows)


@pytest.mark.parametrize("offset", [None, -64, 1 << 40])
def test_a_buffer_outside_the_arena_is_refused(offset: int | None) -> None:
    p = sample()
    for number in arena(p):
        with pytest.raises(ProgramError, match="outside the arena"):
            verify(with_buffer(p, number, offset=offset))


def test_an_arena_that_is_too_small_is_refused() -> None:
    with pytest.raises(ProgramError, match="outside the arena"):
        verify(changed(sample(), arena_bytes=sample().arena_bytes - 1))


def test_weights_that_claim_more_than_they_have_are_refused() -> None:
    p = sample()
    for number, b in enumerate(p.buffers):
        if b.weights is not None:
            with pytest.raises(ProgramError, match="claimed"):
                verify(with_buffer(p, number, nbytes=b.nbytes + 1))


def test_writing_to_weights_is_refused() -> None:
    p = sample()
    row = p.rows[0]
    y = [f.name for f in p.kernels[row.kernel].fields].index("y")
    big = Buffer("weights", 1 << 20, weights=np.zeros((1 << 20) + OVERREAD, np.uint8))
    with pytest.raises(ProgramError, match="writes to weights"):
        verify(with_slot(changed(p, buffers=(*p.buffers, big)), 0, y, encode(len(p.buffers), 0)))


def test_a_port_outside_its_buffer_is_refused() -> None:
    p = sample()
    port = p.outputs[0]
    for changes in ({"offset": 4}, {"offset": -4}, {"buffer": len(p.buffers)}, {"buffer": -1}):
        with pytest.raises(ProgramError, match=port.name):
            verify(changed(p, outputs=(dataclasses.replace(port, **changes),)))


@pytest.mark.parametrize(
    "name, algorithm, numbers",
    [
        ("integers", "conv_bytes", {"h": 1 << 39, "width": 1 << 25}),
        ("integers", "conv_bytes", {"oh": 1 << 39, "ow": 1 << 25}),
        ("depthwise", "conv_depthwise", {"oh": 1 << 24, "sh": 1 << 39}),
        ("depthwise", "conv_depthwise", {"ow": 1 << 24, "sw": 1 << 39}),
    ],
)
def test_numbers_whose_product_no_address_holds_are_refused(name: str, algorithm: str, numbers: dict[str, int]) -> None:
    """Though each alone may be so large."""
    if name not in PROGRAMS:
        pytest.skip("this processor does not multiply bytes")
    p = sample(name)
    kernels = [p.kernels[row.kernel] for row in p.rows]
    number = next(i for i, kernel in enumerate(kernels) if kernel.name.startswith(algorithm))
    values = readable(p, p.rows[number], "")
    assert list(kernels[number].ranges(values))
    with pytest.raises(ValueError, match="beyond all addresses"):
        list(kernels[number].ranges(SimpleNamespace(**{**vars(values), **numbers})))


def mutations(program: Program, kind: str, value: int) -> set[int]:
    if kind == "f32":
        return set()
    if kind == "code":
        return {*range(-1, len(program.kernels) + 2)} - {value}
    huge = {1 << 40, 1 << 61, 1 << 62, (1 << 63) - 1}
    if kind == "int":
        near = {0, -1, 1, value - 1, value + 1, -value, 2 * value, 2 * value + 1, value // 2, value + 16}
        return (near | huge) - {value}
    if kind == "signed":
        near = {0, value - 1, value + 1, -value, value - 16, value + 16}
        return (near | huge | {-n for n in huge} | {3 - (1 << 63)}) - {value}
    buffer, offset = decode(value) if value else (0, 0)
    other = {encode(number, 0) for number in range(len(program.buffers))}
    moved = {encode(buffer, o) for o in (offset - 4, offset + 4, offset + 64, offset + 2048) if o >= 0}
    return ({0} | other | moved) - {value}


def accepted(program: Program) -> Iterator[tuple[int, int, int]]:
    """(row, slot, value) of the corruptions that the verifier lets pass."""
    for number, row in enumerate(program.rows):
        for i, f in enumerate(program.kernels[row.kernel].fields):
            for value in sorted(mutations(program, f.kind, row.slots[i])):
                try:
                    verify(with_slot(program, number, i, value))
                except ProgramError:
                    continue
                yield number, i, value


class Guarded:
    """Bytes between pages that cannot be touched; what follows them up to the next page is watched."""

    RESERVE = 1 << 26
    libc = ctypes.CDLL(None, use_errno=True)

    def __init__(self, data: np.ndarray, slack: int):
        page = mmap.PAGESIZE
        whole = -(-(data.nbytes + slack) // page) * page
        self.memory = mmap.mmap(-1, whole + 2 * self.RESERVE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        view = np.frombuffer(self.memory, np.uint8)
        base = view.ctypes.data
        for start in (base, base + self.RESERVE + whole):
            assert self.libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(self.RESERVE), 0) == 0
        start = self.RESERVE + (whole - data.nbytes - slack) // 64 * 64
        self.address = base + start
        self.before, self.after = view[self.RESERVE : start], view[start + data.nbytes : self.RESERVE + whole]
        self.before[:], self.after[:] = 0x3F, 0x3F
        view[start : start + data.nbytes] = data

    def intact(self) -> bool:
        return bool((self.before == 0x3F).all() and (self.after == 0x3F).all())


def memory_of(b: Buffer) -> Guarded:
    if b.weights is not None:
        return Guarded(b.weights[: b.nbytes], OVERREAD)
    floats = np.random.default_rng(b.nbytes).standard_normal(b.nbytes // 4 + 1).astype(np.float32)
    return Guarded(floats.view(np.uint8)[: b.nbytes], OVERREAD)


def run_rows(program: Program, corruptions: Iterable[tuple[int, int, int]], told: int) -> None:
    """Calls the corrupted rows, each buffer between guards of its own; tells which, so that a crash has a name."""
    codes = [native.address(kernel) for kernel in program.kernels]
    memory = [memory_of(b) for b in program.buffers]
    for number, slot, value in corruptions:
        row = with_slot(program, number, slot, value).rows[number]
        kernel = program.kernels[row.kernel]
        change = f"{program.rows[number].slots[slot]} -> {value}"
        os.write(told, f"row {number}, {kernel.name}, {kernel.fields[slot].name}: {change}\n".encode())
        slots = np.array(row.slots, np.int64)
        for i, f in enumerate(kernel.fields):
            if f.is_address and row.slots[i]:
                buffer, offset = decode(row.slots[i])
                slots[i] = memory[buffer].address + offset
            elif f.kind == "code" and row.slots[i]:
                slots[i] = codes[row.slots[i] - 1]
        for thread in range(THREADS):
            ENTRY(codes[row.kernel])(slots.ctypes.data, thread, THREADS)
        for b, guarded in zip(program.buffers, memory, strict=True):
            if not guarded.intact():
                raise AssertionError(f"wrote outside {b.name!r}")


def test_the_programs_have_rows_of_every_family() -> None:
    """Kernels of one module that take the same fields touch memory alike."""
    target = isa.current().name
    rows = {(k.build.__module__, k.fields) for name in PROGRAMS for k in sample(name).kernels}
    families = {(k.build.__module__, k.fields) for k in all_kernels(target) if not k.is_routine}
    assert {module for module, _ in families - rows} == {walk.__module__, limits.__name__}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a child that may crash")
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_the_verifier_lets_pass_does_no_harm(name: str) -> None:
    program = sample(name)
    for kernel in program.kernels:
        native.address(kernel)
    passed = list(accepted(program))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(SECONDS)
            run_rows(program, passed, writer)
        except BaseException:
            os.write(writer, traceback.format_exc().encode())
            os._exit(1)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as f:
        told = f.read().decode().splitlines()
    _, status = os.waitpid(child, 0)
    assert status == 0, "\n".join(told[-12:])
