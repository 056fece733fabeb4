"""The bytes that each step of a program must move between memory and the processor."""

from collections.abc import Iterable

from tinycnn.planner.program import Program
from tinycnn.planner.verify import accesses


def union_size(spans: Iterable[tuple[int, int]]) -> int:
    """Integers in at least one of the spans [start, stop)."""
    total = reached = 0
    for start, stop in sorted(spans):
        total += max(0, stop - max(start, reached))
        reached = max(reached, stop)
    return total


def step_bytes(program: Program) -> list[int]:
    """For each step: bytes of inputs, packed weights and outputs, in their layouts, each counted once for reading and
    once for writing, as the kernels declare them. Scratch, and what may be read behind a value's end, do not count."""
    spans: list[dict[tuple[int, bool], list[tuple[int, int]]]] = [{} for _ in program.steps]
    for number, row in enumerate(program.rows):
        for index, start, stop, writes in accesses(program, number):
            buffer = program.buffers[index]
            if not buffer.scratch:
                end = min(stop, buffer.nbytes)
                spans[row.step].setdefault((index, writes), []).append((start, end))
    return [sum(map(union_size, touched.values())) for touched in spans]
