"""Rows wait for those whose bytes they need, and for no others."""

import numpy as np
import pytest

from tests.planner.programs import chain, node, normal
from tinycnn.ir import Graph
from tinycnn.kernels.cuda.device import Device
from tinycnn.planner.choose import Options
from tinycnn.planner.dependencies import History, touched
from tinycnn.planner.lower import write
from tinycnn.planner.program import Program
from tinycnn.planner.weights import WeightStore


def test_a_reader_waits_for_the_writer_and_a_writer_for_all_readers() -> None:
    history = History(100)
    assert history.step(0, [], [(0, 50)]) == set()
    assert history.step(1, [(0, 20)], [(60, 80)]) == {0}
    assert history.step(2, [(10, 50)], [(80, 90)]) == {0}
    assert history.step(3, [], [(15, 25)]) == {0, 1, 2}
    assert history.step(4, [(16, 20)], []) == {3}
    assert history.step(5, [(0, 10)], []) == {0}


def test_what_shares_no_byte_does_not_wait() -> None:
    history = History(100)
    history.step(0, [], [(0, 50)])
    assert history.step(1, [], [(50, 100)]) == set()
    assert history.step(2, [(49, 51)], []) == {0, 1}


def test_a_step_does_not_wait_for_itself() -> None:
    history = History(10)
    history.step(0, [], [(0, 10)])
    assert history.step(1, [(0, 10)], [(0, 10)]) == {0}
    assert history.step(2, [(0, 10)], []) == {1}


@pytest.mark.parametrize("seed", range(20))
def test_against_every_pair_of_steps(seed: int) -> None:
    """Whoever waits for a step, directly or not, is everybody that shares bytes with it, one of the two writing."""
    rng = np.random.default_rng(seed)

    def spans() -> list[tuple[int, int]]:
        starts = rng.integers(0, 30, rng.integers(0, 3))
        return [(int(s), int(s + rng.integers(1, 8))) for s in starts]

    steps = [(spans(), spans()) for _ in range(25)]
    history = History(40)
    waits = [history.step(i, *step) for i, step in enumerate(steps)]
    reached: list[set[int]] = []
    for i, direct in enumerate(waits):
        assert all(j < i for j in direct)
        reached.append(direct.union(*(reached[j] for j in direct)))

    def meet(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> bool:
        return any(a < d and c < b for a, b in one for c, d in other)

    for i, (reads, writes) in enumerate(steps):
        for j, (earlier_reads, earlier_writes) in enumerate(steps[:i]):
            conflict = meet(writes, earlier_reads + earlier_writes) or meet(reads, earlier_writes)
            if conflict:
                assert j in reached[i]


def program(graph: Graph) -> Program:
    return write(graph, Options(Device(90, 4), 1), WeightStore())


def row_waits(p: Program) -> list[set[int]]:
    history = History(p.arena_bytes)
    return [history.step(i, *touched(p, i)) for i in range(len(p.rows))]


def test_branches_run_side_by_side_and_meet_in_their_concat() -> None:
    graph = chain(
        (1, 4, 6, 6),
        node("Conv", "x a", "p"), node("Conv", "x b", "q"), node("Add", "p q", "y"),
        a=normal(4, 4, 1, 1), b=normal(4, 4, 1, 1),
    )  # fmt: skip
    waits = row_waits(program(graph))
    assert waits[:-1] == [set(), set()]
    assert waits[-1] == {0, 1}


def test_a_chain_is_a_chain() -> None:
    graph = chain((1, 3, 5, 5), *(node("Sigmoid", a, b) for a, b in zip("xab", "aby", strict=True)))
    assert row_waits(program(graph)) == [set(), {0}, {1}]
