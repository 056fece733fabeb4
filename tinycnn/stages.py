"""Where the time before a session's first result goes: parsing, optimising, planning, packing, compiling, linking."""

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass
class Stage:
    """Seconds spent, without those of stages within, and how many times it was entered."""

    seconds: float = 0.0
    times: int = 0


@dataclass
class Record:
    """The stages of one thread, in the order in which they were first entered."""

    stages: dict[str, Stage] = field(default_factory=dict)
    running: list[Stage] = field(default_factory=list)
    since: float = 0.0

    def charge(self) -> None:
        """Gives the time since the last change to the stage that ran."""
        now = time.perf_counter()
        if self.running:
            self.running[-1].seconds += now - self.since
        self.since = now

    def __getitem__(self, name: str) -> Stage:
        """A stage that was never entered is one of no time."""
        return self.stages.get(name, Stage())


current: ContextVar[Record | None] = ContextVar("current", default=None)


@contextlib.contextmanager
def record() -> Iterator[Record]:
    """Records the stages that this thread enters inside."""
    token = current.set(Record())
    try:
        yield current.get()  # type: ignore[misc]
    finally:
        current.reset(token)


@contextlib.contextmanager
def stage(name: str) -> Iterator[None]:
    """A stage, for `with` or as a decorator. Costs next to nothing where nobody records."""
    told = current.get()
    if told is None:
        yield
        return
    told.charge()
    entered = told.stages.setdefault(name, Stage())
    entered.times += 1
    told.running.append(entered)
    try:
        yield
    finally:
        told.charge()
        told.running.pop()
