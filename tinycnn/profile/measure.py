"""Opens a network and runs it, and tells where the time goes: before the first result, in a run, in its layers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tinycnn.benchmark import random_feeds
from tinycnn.kernels.cpu import isa
from tinycnn.profile.layers import LayerProfile, layer_profiles, times
from tinycnn.profile.machine import Machine, measure
from tinycnn.runtime.timed import Mark, Marks, now, timed
from tinycnn.session import InferenceSession
from tinycnn.stages import Record, record
from tinycnn.summary import default_shapes

STAGES = ("parse", "optimise", "plan", "pack", "compile", "link")
WARM_UPS = 2


@dataclass(frozen=True)
class Run:
    """One run whose layers left marks; nanoseconds of the monotonic clock."""

    begin: int
    end: int
    marks: tuple[Mark, ...]

    @property
    def ms(self) -> float:
        return (self.end - self.begin) / 1e6


@dataclass(frozen=True)
class Profile:
    """A network's times in milliseconds, and its layers.

    threads      the most that worked on it: a network too small for a team is run by one
    stages       of opening the session, each without the others; "other" is what none of them counts
    kernels      how many were linked, and how many of these had to be compiled first
    cache        of compiled kernels: "cold" (all were compiled), "warm" (none), "partly warm", or "not asked" where the
                 process had linked them before
    open_ms      all stages; first_run_ms follows it, and begins with the start of the threads
    median_ms    of whole runs, feeds and results copied, nothing of them noted; so are p90_ms and p99_ms
    noted_ms     median of the runs whose layers were timed, and in_layers_ms of what they spent in layers
    layers_ms    sum of the layers' medians: less than in_layers_ms as far as the machine is busy with something else
    """

    model: str
    inputs: dict[str, str]
    target: str
    threads: int
    runs: int
    stages: dict[str, float]
    kernels: dict[str, int]
    cache: str
    open_ms: float
    first_run_ms: float
    median_ms: float
    p90_ms: float
    p99_ms: float
    noted_ms: float
    in_layers_ms: float
    layers_ms: float
    machine: Machine
    layers: tuple[LayerProfile, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def profile(
    open_session: Callable[[], InferenceSession],
    wishes: Mapping[str, tuple[int, ...]],
    runs: int,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> tuple[Profile, Run]:
    """Also the run that took as long as the median one does, for a trace.

    wishes    shapes of inputs, see `default_shapes`; the feeds are random
    progress  called with the number of runs done and of all

    Whole runs and runs with timed layers take turns. Raises OptionError where part of the network runs on CUDA.
    """
    start = time.perf_counter()
    with record() as stages:
        session = open_session()
        shapes = default_shapes(session, wishes)
        plan = session.plan(shapes)
    open_ms = milliseconds_since(start)
    marks: Marks = []
    noting = timed(plan, marks)
    feeds = random_feeds(session, wishes)
    computed = session.check_feeds(feeds)
    start = time.perf_counter()
    session.run(None, feeds)
    first_run_ms = milliseconds_since(start)
    whole: list[float] = []
    noted: list[Run] = []
    for i in range(WARM_UPS + runs):
        start = time.perf_counter()
        session.run(None, feeds)
        whole.append(milliseconds_since(start))
        marks.clear()
        begin = now()
        noting.run(computed)
        noted.append(Run(begin, now(), tuple(marks)))
        progress(max(0, i + 1 - WARM_UPS), runs)
    whole, noted = whole[WARM_UPS:], noted[WARM_UPS:]
    threads = max((len(mark.times) for mark in noted[0].marks), default=1)
    machine = measure(isa.current(), threads)
    ns = np.stack([times(run.marks) for run in noted])
    layers = layer_profiles(noted[0].marks, ns, machine)
    noted_ms = float(np.median([run.ms for run in noted]))
    median, p90, p99 = (float(np.percentile(whole, q)) for q in (50, 90, 99))
    result = Profile(
        session.declared.name, {name: "x".join(map(str, shape)) for name, shape in shapes.items()},
        isa.current().name, threads, runs, stages_ms(stages, open_ms),
        {"linked": stages["link"].times, "compiled": stages["compile"].times}, cache_state(stages),
        open_ms, first_run_ms, median, p90, p99, noted_ms, float(np.median(ns[..., 0].sum(1))) / 1e6,
        sum(layer.ms for layer in layers), machine, layers,
    )  # fmt: skip
    return result, min(noted, key=lambda run: abs(run.ms - noted_ms))


def milliseconds_since(start: float) -> float:
    return (time.perf_counter() - start) * 1e3


def stages_ms(stages: Record, open_ms: float) -> dict[str, float]:
    told = {name: stages[name].seconds * 1e3 for name in STAGES}
    return {**told, "other": max(0.0, open_ms - sum(told.values()))}


def cache_state(stages: Record) -> str:
    linked, compiled = stages["link"].times, stages["compile"].times
    if not linked:
        return "not asked"
    return "cold" if compiled == linked else "partly warm" if compiled else "warm"
