"""Each layer of what ran: its time, the work it stands for and did, and its share of what the machine can do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tinycnn.planner.program import Program
from tinycnn.planner.traffic import step_bytes
from tinycnn.profile.machine import Machine
from tinycnn.runtime.timed import Mark
from tinycnn.summary import Layer, program_layers, python_layer


@dataclass(frozen=True)
class Work:
    """A layer as `inspect` shows it, the multiply-adds that its algorithm does, and the bytes that it moves."""

    layer: Layer
    executed_macs: int
    nbytes: int


@dataclass(frozen=True)
class LayerProfile:
    """One row of a profile. Times are medians over all runs; a multiply-add is two FLOPs; a Python layer has no counts.

    ms                from when the last thread had done its share of the layer before to when the last had of this
    share             of the time of all layers
    idle              share of the threads' time in which they waited for one another
    macs, gflops      multiply-adds by the operator's definition, which any algorithm is compared by
    executed_*        those that the algorithm does: Winograd's products, and all of a tile that the output cuts
    nbytes, gbs       inputs, packed weights and outputs, in the layouts that they have
    peak_share        executed_gflops of the f32 peak of as many cores as there are threads; beyond 1, up to 4, for
                      products of bytes
    bandwidth_share   gbs of what the threads read from memory at most; beyond 1 for what a cache holds
    """

    name: str
    operator: str
    output: str
    algorithm: str
    reason: str
    native: bool
    ms: float
    share: float
    idle: float
    macs: int
    executed_macs: int
    nbytes: int
    gflops: float
    executed_gflops: float
    gbs: float
    peak_share: float
    bandwidth_share: float


def works(marks: Sequence[Mark]) -> Iterator[Work]:
    """The layers of one run, in order."""
    for mark in marks:
        if isinstance(mark.part, Program):
            steps = zip(program_layers(mark.part), mark.part.steps, step_bytes(mark.part), strict=True)
            yield from (Work(layer, step.executed_macs, nbytes) for layer, step, nbytes in steps)
        else:
            yield Work(python_layer(mark.part, mark.graph), 0, 0)


def times(marks: Sequence[Mark]) -> np.ndarray:
    """Nanoseconds of the layers of one run, f64 [layers][2]: passed, and at work, the mean of the threads."""
    found = [np.empty((0, 2))]
    for mark in marks:
        if not isinstance(mark.part, Program):
            passed = mark.times[0, 0, 1] - mark.times[0, 0, 0]
            found.append(np.array([[passed, passed]], np.float64))
            continue
        steps = np.array([row.step for row in mark.part.rows], np.intp)
        begun, done = mark.times[..., 0], mark.times[..., 1]
        passed = np.diff(done.max(0), prepend=begun[0, :1])
        busy = (done - begun).mean(0) if len(done) > 1 else passed
        pairs = [np.bincount(steps, ns, len(mark.part.steps)) for ns in (passed, busy)]
        found.append(np.stack(pairs, axis=1))
    return np.concatenate(found)


def layer_profiles(marks: Sequence[Mark], ns: np.ndarray, machine: Machine) -> tuple[LayerProfile, ...]:
    """The rows of a network from the marks of one of its runs and the `times` of all, [runs][layers][2]."""
    passed, busy = np.median(ns, axis=0).T
    whole = passed.sum()
    return tuple(
        row(work, passed_ns, busy_ns, whole, machine)
        for work, passed_ns, busy_ns in zip(works(marks), passed, busy, strict=True)
    )


def row(work: Work, passed_ns: float, busy_ns: float, whole_ns: float, machine: Machine) -> LayerProfile:
    layer = work.layer

    def per_ns(amount: float) -> float:
        return float(amount / passed_ns) if passed_ns else 0.0  # a view takes no time

    executed, gbs = per_ns(2 * work.executed_macs), per_ns(work.nbytes)
    return LayerProfile(
        layer.name, layer.operator, layer.output, layer.algorithm, layer.reason, layer.native,
        float(passed_ns / 1e6), float(passed_ns / (whole_ns or 1)), max(0.0, per_ns(passed_ns - busy_ns)),
        layer.macs, work.executed_macs, work.nbytes, per_ns(2 * layer.macs), executed, gbs,
        executed / machine.gflops, gbs / machine.read_gbs,
    )  # fmt: skip
