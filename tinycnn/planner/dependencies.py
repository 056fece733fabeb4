"""Which rows of a program must wait for which: what may run at the same time follows from the bytes they touch."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tinycnn.planner.program import Program
from tinycnn.planner.verify import accesses

Bytes = tuple[int, int]  # of the arena: [start, stop)


@dataclass
class Segment:
    """Bytes with one history: the step that wrote them last, and those that have read them since."""

    start: int
    stop: int
    writer: int | None = None
    readers: set[int] = field(default_factory=set)


class History:
    """Who touched which bytes of the arena; steps are told in their order."""

    def __init__(self, size: int):
        self.segments = [Segment(0, size)]

    def cut(self, at: int) -> None:
        for i, s in enumerate(self.segments):
            if s.start < at < s.stop:
                self.segments[i : i + 1] = [
                    Segment(s.start, at, s.writer, set(s.readers)), Segment(at, s.stop, s.writer, set(s.readers)),
                ]  # fmt: skip
                return

    def within(self, spans: Sequence[Bytes]) -> list[Segment]:
        """The segments of these bytes, which begin and end with segments."""
        return [s for s in self.segments if any(start <= s.start < stop for start, stop in spans)]

    def step(self, number: int, reads: Sequence[Bytes], writes: Sequence[Bytes]) -> set[int]:
        """The earlier steps that this one must wait for."""
        waits: set[int] = set()
        for start, stop in (*reads, *writes):
            self.cut(start)
            self.cut(stop)
        for spans, is_write in ((reads, False), (writes, True)):
            for s in self.within(spans):
                waits.update({s.writer} - {None}, s.readers if is_write else ())  # type: ignore[arg-type]
        for s in self.within(reads):
            s.readers.add(number)
        for s in self.within(writes):
            s.writer, s.readers = number, set()
        return waits - {number}


def touched(program: Program, number: int) -> tuple[list[Bytes], list[Bytes]]:
    """What a row reads and writes of the arena."""
    reads: list[Bytes] = []
    writes: list[Bytes] = []
    for index, start, stop, is_write in accesses(program, number):
        offset = program.buffers[index].offset
        if offset is not None:
            (writes if is_write else reads).append((offset + start, offset + stop))
    return reads, writes
