"""Which kernels compute a node: every family that can offers choices, the fastest as measured or predicted is taken."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module

from tinycnn.errors import OptionError
from tinycnn.kernels.cpu import reorder
from tinycnn.kernels.lowering import LOWERINGS, Choice, Lowering, Platform, Request
from tinycnn.planner.tuned import Tuned, describe


def families(platform: Platform, kind: str) -> Sequence[Lowering]:
    """Those that may have kernels for an operator, depending on its shapes and dtypes."""
    import_module(f"tinycnn.kernels.{platform}").families()
    return LOWERINGS.get((platform, kind), ())


def families_of(request: Request) -> Sequence[Lowering]:
    return families(request.target.platform, request.node.kind)


def offers(request: Request) -> Iterator[Choice]:
    for lowering in families_of(request):
        yield from lowering(request)


def reorders_s(request: Request, choice: Choice) -> float:
    """Predicted seconds of the reorders that the choice needs before it can run."""
    total = 0.0
    for spec, wanted, present in zip(request.inputs, choice.inputs, request.layouts, strict=True):
        if spec is not None and wanted and present and wanted != present:
            total += reorder.cost_s(spec.dims, request.target.name)
    return total


def wished(request: Request, choices: Sequence[Choice], algorithms: Mapping[str, str]) -> Sequence[Choice]:
    """The choices that the user's wish leaves: by node name, or for all under "". A convolution that the wished
    algorithm cannot compute keeps all its choices when the wish was for the whole session."""
    node = request.node.name
    wish = algorithms.get(node) or (algorithms.get("") if request.node.kind == "Conv" else None)
    if not wish:
        return choices
    left = [c for c in choices if c.algorithm == wish]
    if not left and node in algorithms:
        known = ", ".join(sorted({c.algorithm for c in choices}))
        raise OptionError(f"{request.node.kind} {node!r} cannot run by {wish!r}; it can by: {known}")
    return left or choices


def select(request: Request, algorithms: Mapping[str, str], tuned: Mapping[str, Tuned] | None = None) -> Choice | None:
    """The choice that was measured to be fastest on one thread, where `tuned` has the request, by its description, and
    the choice is still offered; else the cheapest by prediction, reorders included. None where no kernel computes the
    node.

    The number of threads decides how the work is shared out, and the variant, but not by which algorithm it is done:
    algorithms differ in their rounding, and results do not depend on threads.

    Raises OptionError when the algorithm that was asked for this very node does not apply.
    """
    alone = replace(request, threads=1)
    offered = [(lowering, c) for lowering in families_of(request) for c in lowering(alone)]
    choices = [choice for _, choice in offered]
    if not choices:
        return None

    def total_s(choice: Choice) -> float:
        return choice.time_s + reorders_s(request, choice)

    left = wished(request, choices, algorithms)
    found = tuned.get(describe(request)) if tuned else None
    stored = next((choice for choice in left if found and choice.name == found.choice), None)
    best = stored or min(left, key=total_s)
    others = [choice for choice in choices if choice.algorithm != best.algorithm]
    if len(left) < len(choices):
        why = "asked for; "
    elif stored and found:
        why = f"{found.reason(choices, request.threads)}; "
    elif others:
        second = min(others, key=total_s)
        why = f"{total_s(best) * 1e3:.2f} ms predicted, {second.algorithm} {total_s(second) * 1e3:.2f} ms; "
    else:
        why = ""
    if request.threads > 1:
        lowerings = dict.fromkeys(lowering for lowering, choice in offered if choice.computes_as(best))
        shared = [c for lowering in lowerings for c in lowering(request) if c.computes_as(best)]
        if stored and found:
            best = tuned_variant(shared, found, request.threads) or best
        else:
            best = min(shared, key=total_s, default=best)
    return replace(best, reason=f"{why}{best.reason}")


def tuned_variant(shared: Sequence[Choice], found: Tuned, threads: int) -> Choice | None:
    """Of choices that compute alike, the fastest on so many threads as far as measured, else that on one."""
    ms = found.on_threads.get(threads, {found.choice: 0.0})
    return min((choice for choice in shared if choice.name in ms), key=lambda choice: ms[choice.name], default=None)


class Selection:
    """The choices of one plan. Networks repeat their layers: what was selected for one is found again for those alike.

    algorithms, tuned  as `select` takes them
    """

    def __init__(self, algorithms: Mapping[str, str], tuned: Mapping[str, Tuned]):
        self.algorithms, self.tuned = algorithms, tuned
        self.selected: dict[tuple[str, str], Choice] = {}
        self.sources: dict[tuple[str, str], Lowering] = {}

    def of(self, request: Request) -> Choice | None:
        """What `select` would return."""
        key = describe(request), self.algorithms.get(request.node.name, "")
        model = self.selected.get(key)
        if model is not None:
            for lowering in [self.sources[key]] if key in self.sources else families_of(request):
                for choice in lowering(request):
                    if choice.name == model.name:
                        self.sources[key] = lowering
                        return replace(choice, reason=model.reason)
        selected = select(request, self.algorithms, self.tuned)
        if selected is not None:
            self.selected[key] = selected
        return selected
