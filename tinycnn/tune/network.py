"""Tunes a network: every layer that has a choice, one after the other, each kept as soon as it is measured."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tinycnn.kernels.lowering import Request
from tinycnn.planner.tuned import Tuned, describe
from tinycnn.planner.tuned_file import processor
from tinycnn.session import InferenceSession
from tinycnn.summary import default_shapes, join
from tinycnn.tune.layers import Finding, Measure, Pair, find_best, tunable

# More than passes between two runs of a layer says nothing: no cache holds so much.
MOST_PASSING = 64 << 20


@dataclass(frozen=True)
class LayerTuning:
    """One layer: `pairs` by the number of threads; milliseconds of all choices on one thread, and their predictions."""

    name: str
    operator: str
    output: str
    request: str
    pairs: Mapping[int, Pair]
    measured_ms: Mapping[str, float]
    predicted_ms: Mapping[str, float]


@dataclass(frozen=True)
class Sums:
    """Milliseconds of all layers that have a choice; model_to_best: how many times as long the cost model's take."""

    model_ms: float
    best_ms: float

    @property
    def model_to_best(self) -> float:
        return self.model_ms / self.best_ms if self.best_ms else 1.0


@dataclass(frozen=True)
class Tuning:
    """What came of a network, layer by layer, on one thread and on `threads`."""

    model: str
    inputs: Mapping[str, str]
    processor: str
    isa: str
    threads: int
    layers: tuple[LayerTuning, ...]

    def sums(self, threads: int) -> Sums:
        pairs = [layer.pairs[threads] for layer in self.layers]
        return Sums(sum(pair.model_ms for pair in pairs), sum(pair.best_ms for pair in pairs))

    def as_dict(self) -> dict[str, Any]:
        sums = {n: self.sums(n) for n in sorted({1, self.threads})}
        told = {n: {**asdict(s), "model_to_best": s.model_to_best} for n, s in sums.items()}
        return {**asdict(self), "sums": told}


def tune(
    session: InferenceSession,
    wishes: Mapping[str, tuple[int, ...]],
    measure: Measure,
    keep: Callable[[Mapping[str, Tuned]], None] = lambda found: None,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Tuning:
    """Measures each request of the network's plan once, however many layers make it.

    wishes    shapes of inputs, see `default_shapes`
    keep      told what came of a request as soon as it is known
    progress  called with the number of requests done and of all
    """
    network, shapes = session.network, default_shapes(session, wishes)
    threads = max(options.threads for options in network.options)
    layers = [(request, describe(request)) for request in tunable(network, shapes)]
    requests, found = {text: request for request, text in layers}, dict[str, Finding]()
    progress(0, len(requests))
    for text, request in requests.items():
        found[text] = find_best(request, threads, measure)
        keep({text: found[text].tuned})
        progress(len(found), len(requests))
    inputs = {name: "x".join(map(str, shape)) for name, shape in shapes.items()}
    rows = tuple(row(request, text, found[text]) for request, text in layers)
    return Tuning(session.declared.name, inputs, processor(), network.options[0].target.name, threads, rows)


def row(request: Request, text: str, found: Finding) -> LayerTuning:
    node, tuned = request.node, found.tuned
    output = join(tuple(request.outputs))
    name = node.name or node.outputs[0]
    return LayerTuning(name, node.kind, output, text, found.pairs, tuned.measured_ms, tuned.predicted_ms)


def passing_bytes(session: InferenceSession) -> int:
    """Bytes that pass through the caches between two runs of a layer: the weights of the others."""
    return min(MOST_PASSING, sum(value.nbytes for value in session.network.whole().constants.values()))
