"""The choices of each layer against each other: what the cost model takes, and what is the fastest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tinycnn.kernels.lowering import Choice, Request
from tinycnn.planner.choose import choose
from tinycnn.planner.partition import Stretch
from tinycnn.planner.select import offers, reorders_s, select
from tinycnn.planner.tuned import Tuned
from tinycnn.runtime.network import Network

# The cost model's choice stays if the fastest gains less: so little is noise, and another algorithm rounds otherwise.
LEAST_GAIN = 1.02

Measure = Callable[[Request, Sequence[Choice]], Sequence[float]]
"""Seconds of each of a request's choices, on as many threads as it says."""


@dataclass(frozen=True)
class Pair:
    """What the cost model takes on so many threads, what was measured to be the best, and how long each takes."""

    model: str
    model_ms: float
    best: str
    best_ms: float

    @property
    def gain(self) -> float:
        return self.model_ms / self.best_ms if self.best_ms else 1.0


@dataclass(frozen=True)
class Finding:
    """What to keep of one request, and pairs by the number of threads, 1 always among them."""

    tuned: Tuned
    pairs: Mapping[int, Pair]


def rivals(request: Request) -> list[Choice]:
    """Choices between which measuring can decide: those whose result has the layout of the cost model's, as another
    would change what the nodes behind it get. None where what a choice costs depends on its neighbours: where it is a
    view, or its inputs may be computed in their part of it."""
    output = taken(request).output
    found = [choice for choice in offers(request) if choice.output == output]
    return [] if any(c.view is not None or c.parts is not None for c in found) else found


def tunable(network: Network, shapes: Mapping[str, tuple[int, ...]]) -> list[Request]:
    """Nodes, in order, that have a choice, on one thread; none of those that are planned when a run has begun, or that
    run on CUDA."""
    _, parts = network.divide(shapes)
    requests = []
    for part in parts:
        if isinstance(part, Stretch) and part.options.target.platform == "cpu":
            requests += [request for request, _ in choose(part.graph, replace(part.options, threads=1, tuned={}))]
    return [request for request in requests if len(rivals(request)) > 1]


def find_best(request: Request, threads: int, measure: Measure) -> Finding:
    """Measures a request of one thread, whose best choice names the algorithm for any number of threads, and then the
    variants of this algorithm on `threads`."""
    choices, model = rivals(request), taken(request)
    ms = milliseconds(measure, request, choices)
    predicted = {c.name: digits(1e3 * (c.time_s + reorders_s(request, c))) for c in choices}
    fastest = min(choices, key=lambda c: ms[c.name])
    best = fastest if ms[model.name] > LEAST_GAIN * ms[fastest.name] else model
    pairs, on_threads = {1: pair(ms, model, best)}, {}
    if threads > 1:
        request = replace(request, threads=threads)
        model, offered = taken(request), list(offers(request))
        variants = [c for c in offered if c.computes_as(best)]
        shared = milliseconds(measure, request, [c for c in offered if c in variants or c.name == model.name])
        on_threads[threads] = {c.name: shared[c.name] for c in variants}
        pairs[threads] = pair(shared, model, min(variants, key=lambda c: shared[c.name]))
    return Finding(Tuned(best.name, ms, predicted, on_threads), pairs)


def pair(ms: Mapping[str, float], model: Choice, best: Choice) -> Pair:
    return Pair(model.name, ms[model.name], best.name, ms[best.name])


def taken(request: Request) -> Choice:
    """What the cost model takes."""
    choice = select(request, {})
    assert choice is not None
    return choice


def milliseconds(measure: Measure, request: Request, choices: Sequence[Choice]) -> dict[str, float]:
    """By the choices' names, in as many digits as are worth reading."""
    seconds = measure(request, choices)
    return {choice.name: digits(1e3 * s) for choice, s in zip(choices, seconds, strict=True)}


def digits(ms: float) -> float:
    return float(f"{ms:.4g}")
