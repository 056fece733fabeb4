"""Runs a verified program: binds its numbers to memory once, then one native call per inference."""

import collections
import functools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from tinycnn.ir.memory import HUGE_PAGE, OVERREAD, aligned, in_huge_pages
from tinycnn.kernels.cpu.walk import walk
from tinycnn.planner.program import Port, Program, decode
from tinycnn.runtime import compiling
from tinycnn.runtime.team import ENTRY, SPINS, team, yield_address

# Below this much predicted work a second thread costs more than it brings.
TEAM_WORTH_S = 40e-6


class Context:
    """The memory of one inference at a time: an arena, and the program's rows with real addresses."""

    def __init__(self, program: Program, addresses: Sequence[int]):
        nbytes = program.arena_bytes + OVERREAD
        self.arena = in_huge_pages(nbytes) if nbytes >= HUGE_PAGE // 2 else aligned(nbytes)
        base = self.arena.ctypes.data
        bases = [b.weights.ctypes.data if b.weights is not None else base + (b.offset or 0) for b in program.buffers]
        slots: list[int] = []
        starts: list[int] = []
        for row in program.rows:
            starts.append(len(slots))
            for f, slot in zip(program.kernels[row.kernel].fields, row.slots, strict=True):
                if f.is_address and slot:
                    buffer, offset = decode(slot)
                    slot = bases[buffer] + offset
                elif f.kind == "code" and slot:
                    slot = addresses[slot - 1]
                slots.append(slot)
        self.slots = np.array(slots, np.int64)
        at = self.slots.ctypes.data
        pairs = [(addresses[row.kernel], at + 8 * start) for row, start in zip(program.rows, starts, strict=True)]
        self.table = np.array(pairs, np.int64).reshape(-1)
        self.row = np.array([self.table.ctypes.data, len(pairs), 0, SPINS, yield_address()], np.int64)
        self.row_address = self.row.ctypes.data
        self.inputs = [self.view(program, port) for port in program.inputs]
        self.outputs = [self.view(program, port) for port in program.outputs]
        self.places = [[(starts[row] + i, offset) for row, i, offset in port.places] for port in program.inputs]

    def take(self, feeds: Sequence[np.ndarray]) -> None:
        """Has rows read each feed where it lies, if they can, and copies it if not."""
        for view, places, feed in zip(self.inputs, self.places, feeds, strict=True):
            flags = feed.flags
            whole = flags.c_contiguous and flags.aligned
            if places and whole and feed.shape == view.shape and feed.dtype == view.dtype:
                address = feed.ctypes.data
            else:
                np.copyto(view, feed)
                address = view.ctypes.data if places else 0
            for slot, offset in places:
                self.slots[slot] = address + offset

    def view(self, program: Program, port: Port) -> np.ndarray:
        spec, number, offset = port.spec, port.buffer, port.offset
        buffer = program.buffers[number]
        memory = self.arena[buffer.offset or 0 :] if buffer.weights is None else buffer.weights
        view = memory[offset : offset + spec.nbytes].view(spec.dtype).reshape(spec.dims)
        return view


class Executor:
    """A program bound to this process. `run` may be called from many threads at once."""

    on_device: ClassVar[bool] = False

    def __init__(self, program: Program):
        self.program = program
        *self.addresses, self.walk_address = compiling.addresses([*program.kernels, walk(program.target)])
        self.walk = ENTRY(self.walk_address)
        self.contexts: collections.deque[Context] = collections.deque()
        self.alone = program.threads == 1 or program.predicted_s < TEAM_WORTH_S

    @functools.cached_property
    def input_names(self) -> tuple[str, ...]:
        return tuple(port.name for port in self.program.inputs)

    def run(self, feeds: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs as fresh arrays. feeds: in the order and with the specs of the program's inputs."""
        try:
            context = self.contexts.pop()
        except IndexError:
            context = Context(self.program, self.addresses)
        context.take(feeds)
        self.walk_all(context)
        results = [view.copy() for view in context.outputs]
        self.contexts.append(context)
        return results

    def walk_all(self, context: Context) -> None:
        """With the team if it is free; alone, to the same bits, if it is busy with another program."""
        if not self.alone:
            crew = team(self.program.threads, self.program.target)
            if crew.lock.acquire(blocking=False):
                try:
                    context.row[2] = crew.barrier
                    crew.run(self.walk, self.walk_address, context.row_address)
                finally:
                    crew.lock.release()
                return
        self.walk(context.row_address, 0, 1)
