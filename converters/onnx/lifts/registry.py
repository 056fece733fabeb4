"""Which lifts an operator has, by domain, name and opset."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from tinycnn.converters.onnx.call import Call

Rewrite = Callable[[Call], None]
NO_END = 1 << 30


class Lift(NamedTuple):
    first: int
    last: int
    rewrite: Rewrite


LIFTS: dict[tuple[str, str], list[Lift]] = {}


def lift(*kinds: str, first: int = 1, last: int = NO_END, domain: str = "") -> Callable[[Rewrite], Rewrite]:
    """Registers what brings these operators of opsets first..last to the form of the newest opset."""

    def register(rewrite: Rewrite) -> Rewrite:
        for kind in kinds:
            LIFTS.setdefault((domain, kind), []).append(Lift(first, last, rewrite))
        return rewrite

    return register


def lifts_of(call: Call) -> Iterator[Lift]:
    """Those that apply, in the order of their registration."""
    return (item for item in LIFTS.get((call.domain, call.kind), ()) if item.first <= call.opset <= item.last)
