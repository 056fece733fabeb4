"""Which kernels compute a node: every family that can offers choices, the cheapest is taken."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import import_module

from tinycnn.errors import OptionError
from tinycnn.kernels.cpu import reorder
from tinycnn.kernels.lowering import LOWERINGS, Choice, Lowering, Platform, Request


def families(platform: Platform, kind: str) -> Sequence[Lowering]:
    """Those that may have kernels for an operator, depending on its shapes and dtypes."""
    import_module(f"tinycnn.kernels.{platform}").families()
    return LOWERINGS.get((platform, kind), ())


def offers(request: Request) -> Iterator[Choice]:
    for lowering in families(request.target.platform, request.node.kind):
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


def select(request: Request, algorithms: Mapping[str, str]) -> Choice | None:
    """The choice that is cheapest on one thread, reorders included; None where no kernel computes the node.

    The number of threads decides how the work is shared out, but not by which algorithm it is done: algorithms differ
    in their rounding, and results do not depend on threads.

    Raises OptionError when the algorithm that was asked for this very node does not apply.
    """
    choices = list(offers(replace(request, threads=1)))
    if not choices:
        return None

    def total_s(choice: Choice) -> float:
        return choice.time_s + reorders_s(request, choice)

    left = wished(request, choices, algorithms)
    best = min(left, key=total_s)
    others = [choice for choice in choices if choice.algorithm != best.algorithm]
    if len(left) < len(choices):
        why = "asked for; "
    elif others:
        second = min(others, key=total_s)
        why = f"{total_s(best) * 1e3:.2f} ms predicted, {second.algorithm} {total_s(second) * 1e3:.2f} ms; "
    else:
        why = ""
    if request.threads > 1:
        shared = (c for c in offers(request) if c.algorithm == best.algorithm)
        best = min((c for c in shared if (c.inputs, c.output) == (best.inputs, best.output)), key=total_s, default=best)
    return replace(best, reason=f"{why}{best.reason}")
