"""How choices are measured: in turn, within a budget, by themselves."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.kernels.cpu.harness import request
from tests.planner.programs import normal
from tests.planner.requests import convolution
from tinycnn.kernels.cpu import isa
from tinycnn.kernels.lowering import Request
from tinycnn.ops import REGISTRY
from tinycnn.planner.alone import write_alone
from tinycnn.planner.loans import lend
from tinycnn.planner.select import offers
from tinycnn.planner.weights import WeightStore
from tinycnn.tune.measure import LEAST, MOST, Stand, Stopwatch, quartiles


def ticking() -> Callable[[], float]:
    """A second passes from one look at the clock to the next."""
    seconds = itertools.count()
    return lambda: float(next(seconds))


def runs(*times: "itertools.cycle[float]") -> tuple[list[int], list[Callable[[], float]]]:
    """Functions that return these times in turn, and the order in which they were called."""
    order: list[int] = []

    def run_of(i: int) -> Callable[[], float]:
        def run() -> float:
            order.append(i)
            return next(times[i])

        return run

    return order, [run_of(i) for i in range(len(times))]


def test_quartiles_of_runs_in_turn_but_the_first() -> None:
    order, functions = runs(itertools.cycle([9.0, 1.0, 2.0, 3.0]), itertools.cycle([9.0, 1.5, 1.5, 1.5]))
    assert quartiles(functions, 0.0, ticking()) == [1.0, 1.5]
    assert order == [0, 1] * (1 + LEAST)


def test_the_budget_ends_it_and_so_do_enough_runs() -> None:
    order, functions = runs(itertools.cycle([1.0]))
    quartiles(functions, 5.0, ticking())
    assert len(order) == 1 + LEAST + 4
    order, functions = runs(itertools.cycle([1.0]))
    quartiles(functions, 1e9, ticking())
    assert len(order) == 1 + MOST


def test_who_is_far_behind_stops() -> None:
    order, functions = runs(itertools.cycle([1.0]), itertools.cycle([2.0]), itertools.cycle([1.2, 9.0, 9.0]))
    assert quartiles(functions, 3.0, ticking())[:2] == [1.0, 2.0]
    assert order.count(1) == 1 + LEAST < order.count(0) == order.count(2)


SMALL = convolution(20, 24, 9, 11, 3)
CASES = {
    "convolution": SMALL,
    "reordered": request(SMALL.op, [normal(1, 20, 9, 11), normal(24, 20, 3, 3)], [1], "plain", isa.current(), 1),
    "one dimension": request(
        REGISTRY["Conv"](), [normal(1, 20, 9), normal(24, 20, 3)], [1], "blocked", isa.current(), 1
    ),
    "with a residual": request(
        SMALL.op, [normal(1, 20, 9, 11), normal(24, 20, 3, 3), None, normal(1, 24, 9, 11)], [1], "blocked",
        isa.current(), 1,
    ),
    "integers": request(REGISTRY["Transpose"](perm=(1, 0)), [np.array([[1, 2]])], [], "plain", isa.current(), 1),
    "twice the same": replace(
        (r := request(REGISTRY["Add"](), [normal(1, 20, 9, 11)] * 2, [], "blocked", isa.current(), 1)),
        node=replace(r.node, inputs=("x0", "x0")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("r", CASES.values(), ids=CASES)
def test_every_choice_runs_by_itself(r: Request) -> None:
    found = list(offers(r))
    seconds = Stopwatch(0.0, 1 << 12)(r, found)
    assert len(seconds) == len(found) > 0 and all(s >= 0 for s in seconds)


def test_reorders_are_measured_where_layouts_differ() -> None:
    for r, present in ((SMALL, "blocked"), (CASES["reordered"], "plain")):
        for choice in offers(r):
            names = [kernel.name for kernel in write_alone(r, choice, WeightStore()).kernels]
            assert names[0].startswith("reorder") == (choice.inputs[0] != present)


def test_several_threads_share_the_work() -> None:
    r = replace(SMALL, threads=2)
    stand = Stand(r, next(offers(r)), WeightStore())
    stand.run()
    assert stand.marks[0].times.shape[0] == 2


def test_inputs_are_copied_and_so_as_near_as_in_a_network() -> None:
    """Though rows could read them where they lie."""
    arrays = [normal(1, 3, 64, 64), normal(20, 3, 3, 3)]
    r = request(REGISTRY["Conv"](strides=(2, 2), pads=(1, 1, 1, 1)), arrays, [1], "plain", isa.current(), 1)
    stands = [Stand(r, choice, WeightStore()) for choice in offers(r)]
    lendable = [s for s in stands if any(port.places for port in lend(s.executor.program).inputs)]
    assert lendable
    for stand in lendable:
        stand.run()
        [context] = stand.executor.contexts
        assert context.inputs[0].ctypes.data in context.slots
        assert stand.feeds[0].ctypes.data not in context.slots
