"""What was measured of one node's choices on this machine, and by which name it is found again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.kernels.lowering import Choice, Layout, Request

# Integers of a constant that are told: axes, starts and steps decide what is to be done, weights do not.
MOST_TOLD = 8


@dataclass(frozen=True)
class Tuned:
    """What was measured for one request. Choices go by their names; milliseconds with the reorders that they need.

    choice        the one to take
    measured_ms   on one thread
    predicted_ms  by the cost model, on one thread
    on_threads    number of threads -> milliseconds of what computes as `choice` does
    """

    choice: str
    measured_ms: Mapping[str, float]
    predicted_ms: Mapping[str, float]
    on_threads: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        on_threads = {str(threads): dict(ms) for threads, ms in self.on_threads.items()}
        measured, predicted = dict(self.measured_ms), dict(self.predicted_ms)
        return {"choice": self.choice, "measured_ms": measured, "predicted_ms": predicted, "on_threads": on_threads}

    @classmethod
    def of(cls, told: Any) -> "Tuned":
        """From what `as_dict` gives. Raises ValueError for anything else."""
        try:
            on_threads = {int(threads): milliseconds(ms) for threads, ms in told["on_threads"].items()}
            measured, predicted = milliseconds(told["measured_ms"]), milliseconds(told["predicted_ms"])
            choice = told["choice"]
        except (AttributeError, KeyError, OverflowError, TypeError) as error:
            raise ValueError(f"{error!r}") from None
        if not isinstance(choice, str) or choice not in measured.keys() & predicted.keys():
            raise ValueError(f"{choice!r} was not measured")
        return cls(choice, measured, predicted, on_threads)

    def reason(self, choices: Sequence[Choice], threads: int) -> str:
        """For people: how fast the choice is, and the fastest by another algorithm."""
        algorithm = {c.name: c.algorithm for c in choices}
        told = f"tuned on this machine: {self.measured_ms[self.choice]:.3g} ms"
        shared = self.on_threads.get(threads, {})
        if threads > 1 and shared:
            told += f", {min(shared.values()):.3g} on {threads} threads"
        told += f", predicted {self.predicted_ms[self.choice]:.3g}"
        others = [n for n in self.measured_ms if algorithm.get(n, algorithm[self.choice]) != algorithm[self.choice]]
        if others:
            second = min(others, key=lambda name: self.measured_ms[name])
            told += f"; second {algorithm[second]} {self.measured_ms[second]:.3g}"
        return told


def milliseconds(told: Mapping[Any, Any]) -> dict[str, float]:
    """Raises ValueError where one is no time."""
    for name, ms in told.items():
        if isinstance(ms, bool) or not isinstance(ms, int | float) or not math.isfinite(ms) or ms < 0:
            raise ValueError(f"{name}: {ms!r} is no time")
    return dict(told)


def describe(request: Request) -> str:
    """The request in words, the same for all whose choices take the same time on one machine, whatever their model:
    operator, dtypes, shapes and layouts, and the attributes that are not as by default. The number of threads is none
    of it."""
    inputs = ", ".join(map(operand, request.inputs, request.values, request.layouts))
    op = request.op
    attributes = "".join(f", {f.name}={getattr(op, f.name)!r}" for f in fields(op) if getattr(op, f.name) != default(f))
    return f"{request.node.kind}({inputs}) -> {', '.join(map(str, request.outputs))}{attributes}"


def default(of: Any) -> Any:
    return of.default if of.default_factory is MISSING else of.default_factory()


def operand(spec: TensorSpec | None, value: np.ndarray | None, layout: Layout | None) -> str:
    if spec is None:
        return "absent"
    if value is None:
        return f"{spec} {layout}"
    few = value.size <= MOST_TOLD and value.dtype.kind in "iu"
    return f"{spec} constant{f' {value.tolist()}' if few else ''}"
