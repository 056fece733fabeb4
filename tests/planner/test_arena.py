"""Placing buffers: nothing that lives together shares bytes, and little is wasted."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinycnn.planner.arena import ALIGNMENT, place
from tinycnn.planner.program import Buffer

ROWS = 12
lifetimes = st.tuples(st.integers(0, ROWS - 1), st.integers(0, ROWS - 1)).map(sorted)
buffers = st.lists(st.tuples(st.integers(1, 5000), lifetimes), max_size=25)


def alive(first: Buffer, second: Buffer) -> bool:
    return first.first <= second.last and second.first <= first.last


def share_bytes(a: Buffer, b: Buffer) -> bool:
    assert a.offset is not None and b.offset is not None
    return a.offset < b.offset + b.nbytes and b.offset < a.offset + a.nbytes


@given(buffers)
def test_buffers_that_live_together_share_no_bytes(wishes: list[tuple[int, list[int]]]) -> None:
    placed = [Buffer(str(i), nbytes, first=first, last=last) for i, (nbytes, (first, last)) in enumerate(wishes)]
    size = place(placed)
    for i, a in enumerate(placed):
        assert a.offset is not None
        assert a.offset % ALIGNMENT == 0
        assert 0 <= a.offset <= a.offset + a.nbytes <= size
        assert not any(alive(a, b) and share_bytes(a, b) for b in placed[:i])


@given(buffers)
def test_the_size_lies_between_the_most_at_once_and_the_sum(wishes: list[tuple[int, list[int]]]) -> None:
    placed = [Buffer(str(i), nbytes, first=first, last=last) for i, (nbytes, (first, last)) in enumerate(wishes)]
    size = place(placed)
    least = max((sum(b.nbytes for b in placed if b.first <= row <= b.last) for row in range(ROWS)), default=0)
    assert least <= size <= sum(-(-b.nbytes // ALIGNMENT) * ALIGNMENT for b in placed)


def test_a_chain_needs_its_two_largest_neighbours() -> None:
    sizes = [640, 64, 6400, 128, 1280]
    chain = [Buffer(str(i), nbytes, first=i, last=i + 1) for i, nbytes in enumerate(sizes)]
    assert place(chain) == 6400 + 128


def test_weights_have_no_place_in_the_arena() -> None:
    weights = Buffer("w", 100, weights=np.zeros(100, np.uint8), first=0, last=9)
    value = Buffer("x", 10, first=0, last=9)
    assert place([weights, value]) == 10
    assert weights.offset is None
