"""One run as a Chrome trace, for chrome://tracing and Perfetto.

Source: Trace Event Format, Google 2016; complete ("X") and metadata ("M") events.
"""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from tinycnn.planner.program import Program
from tinycnn.profile.measure import Profile, Run
from tinycnn.runtime.timed import Mark

PROCESS = 1


def event(name: str, category: str, thread: int, begin: int, end: int, **told: Any) -> dict[str, Any]:
    """begin, end: nanoseconds since the run began; the format has microseconds."""
    place = {"pid": PROCESS, "tid": thread, "ts": begin / 1e3, "dur": (end - begin) / 1e3}
    return {"ph": "X", "name": name, "cat": category, **place, "args": told}


def label(kind: str, name: str, thread: int = 0) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": PROCESS, "tid": thread, "args": {"name": name}}


def mark_events(mark: Mark, zero: int) -> Iterator[dict[str, Any]]:
    """Each thread's own share of each row; between two of them it waits for the others."""
    part = mark.part
    if not isinstance(part, Program):
        [[[begin, end]]] = (mark.times - zero).tolist()
        yield event(part.name or part.outputs[0], part.kind, 0, begin, end, algorithm="reference")
        return
    for thread, times in enumerate((mark.times - zero).tolist()):
        for row, (begin, end) in zip(part.rows, times, strict=True):
            step, kernel = part.steps[row.step], part.kernels[row.kernel].name
            told = {"kernel": kernel, "algorithm": step.algorithm, "why": step.reason}
            yield event(step.node, step.operator, thread, begin, end, **told)


def trace(profile: Profile, run: Run) -> dict[str, Any]:
    events = [label("process_name", f"tinycnn {profile.model}"), label("thread_name", "caller")]
    events += [label("thread_name", f"worker {thread}", thread) for thread in range(1, profile.threads)]
    events.append(event("run", "run", 0, 0, run.end - run.begin, inputs=profile.inputs))
    for mark in run.marks:
        events += mark_events(mark, run.begin)
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def write_trace(file: BinaryIO, profile: Profile, run: Run) -> None:
    file.write(json.dumps(trace(profile, run)).encode())
