"""Plans that note when each of their rows and nodes ran: the same memory, rows and threads as without."""

import ctypes
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tinycnn.errors import DeviceError, OptionError
from tinycnn.ir import Graph, Node
from tinycnn.kernels.cpu import native
from tinycnn.kernels.cpu.walk import walk_timed
from tinycnn.passes.bind import Shape
from tinycnn.planner.program import Program
from tinycnn.runtime import network
from tinycnn.runtime.executor_cpu import Context, Executor
from tinycnn.runtime.network import Arrays, Network, Plan
from tinycnn.runtime.team import ENTRY, team


@dataclass(frozen=True)
class Mark:
    """One part of a plan, run once; nanoseconds of the monotonic clock.

    part    the program, or the node that Python computed
    graph   that of the plan
    times   i64 [threads][rows][2]: when each thread began and had done its share of each row; a node is one row of one
            thread
    """

    part: Program | Node
    graph: Graph
    times: np.ndarray


Marks = list[Mark]


def clock_address() -> int:
    """Address of the C library's clock_gettime. Raises DeviceError where there is none."""
    try:
        found = ctypes.cast(ctypes.CDLL(None).clock_gettime, ctypes.c_void_p).value
    except (AttributeError, OSError, TypeError):
        found = None
    if not found or not hasattr(time, "CLOCK_MONOTONIC"):
        raise DeviceError("layers cannot be timed here: the C library has no clock_gettime")
    return found


def now() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class TimedExecutor(Executor):
    """An executor in whose memory its program runs, by the walk that notes times."""

    def __init__(self, executor: Executor, graph: Graph, marks: Marks):
        self.program, self.addresses, self.contexts = executor.program, executor.addresses, executor.contexts
        self.alone = executor.alone or not self.program.rows  # without rows there is no barrier to wait at
        self.graph, self.marks = graph, marks
        self.walk_address = native.address(walk_timed(self.program.target))
        self.walk = ENTRY(self.walk_address)
        self.threads = 1 if self.alone else self.program.threads
        self.stamps = np.zeros((self.threads, len(self.program.rows), 2, 2), np.int64)
        self.clock = clock_address()

    def walk_all(self, context: Context) -> None:
        """As without times, but waits for a team that is busy."""
        row = np.array([*context.row, self.clock, time.CLOCK_MONOTONIC, self.stamps.ctypes.data], np.int64)
        if self.alone:
            self.walk(row.ctypes.data, 0, 1)
        else:
            crew = team(self.program.threads, self.program.target)
            with crew.lock:
                row[2] = crew.barrier
                crew.run(self.walk, self.walk_address, row.ctypes.data)
        seconds, nanoseconds = self.stamps[..., 0], self.stamps[..., 1]
        self.marks.append(Mark(self.program, self.graph, seconds * 1_000_000_000 + nanoseconds))


@dataclass(frozen=True)
class TimedPlan(Plan):
    """A plan whose parts leave marks."""

    marks: Marks

    def run_part(self, part: "network.Executor | Node | Network", values: Arrays) -> Arrays:
        if not isinstance(part, Node):
            return super().run_part(part, values)
        begin = now()
        results = super().run_part(part, values)
        self.marks.append(Mark(part, self.graph, np.array([[[begin, now()]]])))
        return results


class TimedNetwork(Network):
    """A network whose plans leave marks; they share what is packed with those that do not."""

    def __init__(self, like: Network, marks: Marks):
        super().__init__(like.graph, like.options, like.store, like.kept)
        self.marks = marks

    def make_plan(self, shapes: Mapping[str, Shape]) -> Plan:
        return timed(super().make_plan(shapes), self.marks)


def timed(plan: Plan, marks: Marks) -> TimedPlan:
    """The same plan in the same memory, leaving marks.

    Raises OptionError where part of it does not run on the processor, DeviceError where the system has no clock.
    """
    parts: list[Executor | Node | Network] = []
    for part in plan.parts:
        if isinstance(part, Executor):
            parts.append(TimedExecutor(part, plan.graph, marks))
        elif isinstance(part, Network):
            parts.append(TimedNetwork(part, marks))
        elif isinstance(part, Node):
            parts.append(part)
        else:
            raise OptionError("layers are timed on the processor only, and part of this network runs on CUDA")
    return TimedPlan(plan.graph, tuple(parts), marks)
