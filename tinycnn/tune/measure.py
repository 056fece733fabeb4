"""The time of each choice of one node, by itself, as near as can be to how it would run inside its network."""

import functools
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tinycnn.ir import Graph
from tinycnn.kernels.lowering import Choice, Request
from tinycnn.planner.alone import write_alone
from tinycnn.planner.program import Port
from tinycnn.planner.weights import WeightStore
from tinycnn.runtime.executor_cpu import Executor
from tinycnn.runtime.timed import Marks, TimedExecutor

# Runs of each choice, and how far behind the fastest it runs no more.
LEAST, MOST = 3, 101
BEHIND = 1.5


class Stand:
    """A choice, ready to run by itself: its reorders and rows, random inputs in the layouts that the request tells."""

    def __init__(self, request: Request, choice: Choice, store: WeightStore):
        program = write_alone(request, choice, store)
        executor = Executor(program)
        executor.alone = request.threads == 1
        self.marks: Marks = []
        self.executor = TimedExecutor(executor, Graph({}, (), (), {}), self.marks)
        rng = np.random.default_rng(0)
        self.feeds = [random(port, rng) for port in program.inputs]

    def run(self) -> float:
        """Seconds of all rows, each as long as its slowest thread works: how threads wake and wait is not counted."""
        self.marks.clear()
        self.executor.run(self.feeds)
        [mark] = self.marks
        begun, done = mark.times[..., 0], mark.times[..., 1]
        return float((done - begun).max(0).sum()) * 1e-9


def random(port: Port, rng: np.random.Generator) -> np.ndarray:
    """A feed: normal for floats, 0 or 1 for the rest."""
    is_float = port.spec.dtype.kind == "f"
    values = rng.standard_normal(port.spec.dims, np.float32) if is_float else rng.integers(0, 2, port.spec.dims)
    return values.astype(port.spec.dtype)


def quartiles(
    runs: Sequence[Callable[[], float]], budget_s: float, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """The first quartile of what each run returns, all run in turn, after a first time that does not count, until the
    budget is spent. A machine that is busy with something else for half of the time leaves it as it is. Who is far
    behind the fastest stops when each has run a few times."""
    for run in runs:
        run()
    found: list[list[float]] = [[] for _ in runs]
    racing = list(range(len(runs)))
    end = clock() + budget_s
    for done in itertools.count(1):
        for i in racing:
            found[i].append(runs[i]())
        if done >= LEAST:
            best = min(min(found[i]) for i in racing)
            racing = [i for i in racing if min(found[i]) <= BEHIND * best]
            if done >= MOST or clock() >= end:
                return [float(np.percentile(times, 25, method="lower")) for times in found]
    raise AssertionError


@dataclass(frozen=True)
class Stopwatch:
    """Measures choices: called with a request, for whose number of threads, and some of its choices, it returns the
    seconds of each.

    budget_s  how long it may take, beyond a few runs of each
    passing   bytes that pass through the caches between two runs, as other layers' do in the network: the weights are
              read from where they would lie then, but what the layer before has just written is near
    """

    budget_s: float
    passing: int

    @functools.cached_property
    def others(self) -> np.ndarray:
        """Written once: memory that never was may be one page of zeros, which is always near."""
        return np.ones(self.passing // 8, np.int64)

    def __call__(self, request: Request, choices: Sequence[Choice]) -> list[float]:
        store = WeightStore()
        stands = [Stand(request, choice, store) for choice in choices]
        return quartiles([functools.partial(self.run, stand) for stand in stands], self.budget_s)

    def run(self, stand: Stand) -> float:
        self.others.sum()
        return stand.run()
