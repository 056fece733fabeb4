"""How work is cut for threads: no thread has more than it must, and the model knows how much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycnn.kernels.cpu import cost

COUNT = st.integers(1, 60)
THREADS = st.integers(1, 9)


@given(COUNT, COUNT, COUNT, st.integers(1, 5), THREADS)
def test_the_busiest_has_an_even_share_at_least_and_all_at_most(total, size, copies, splits, threads):
    share = cost.busiest(total, size, copies, splits, threads)
    assert 1 - 1e-9 <= share <= threads + 1e-9
    assert cost.busiest(total, size, copies, splits, 1) == 1


@pytest.mark.parametrize(
    ("total", "size", "copies", "splits", "threads", "share"),
    [(14, 7, 1, 1, 2, 1.0), (14, 4, 1, 1, 2, 8 / 7), (5, 1, 1, 1, 2, 6 / 5), (7, 7, 1, 1, 2, 2.0), (7, 7, 1, 2, 2, 1.0),
     (7, 7, 3, 1, 2, 4 / 3)],
)  # fmt: skip
def test_the_share_of_the_busiest(total, size, copies, splits, threads, share):
    assert cost.busiest(total, size, copies, splits, threads) == pytest.approx(share)


@given(COUNT, COUNT, COUNT, THREADS)
def test_pieces_are_as_large_as_allowed_or_shared_better(total, most, copies, threads):
    size, largest = cost.even_size(total, most, copies, threads), cost.even_size(total, most, copies, 1)
    assert 1 <= size <= min(total, most) and largest == -(-total // -(-total // min(total, most)))
    assert cost.busiest(total, size, copies, 1, threads) <= cost.busiest(total, largest, copies, 1, threads)
