"""Bytes that the steps of a program move."""

import pytest

from tests.planner.programs import chain, node, normal, program
from tinycnn.planner.traffic import step_bytes, union_size


@pytest.mark.parametrize(
    ("spans", "size"),
    [([], 0), ([(3, 8)], 5), ([(5, 8), (0, 3)], 6), ([(0, 5), (2, 4), (4, 9), (9, 10)], 10), ([(2, 2), (1, 4)], 3)],
)
def test_bytes_in_several_spans_count_once(spans: list[tuple[int, int]], size: int) -> None:
    assert union_size(spans) == size


def test_an_elementwise_function_reads_and_writes_each_element_also_in_place() -> None:
    graph = chain((2, 3, 5, 7), node("Relu", "x", "a"), node("Sigmoid", "a", "b"), node("Add", "a b", "y"))
    nbytes, arguments = 4 * 2 * 3 * 5 * 7, 16
    unary = 2 * nbytes + arguments
    assert step_bytes(program(graph)) == [unary, unary, 3 * nbytes]


@pytest.mark.parametrize("threads", [1, 3])
def test_a_convolution_moves_its_input_packed_weights_and_output_but_no_scratch(threads: int) -> None:
    """32 channels fill whole blocks for every instruction set. The reorders belong to the steps that need them."""
    graph = chain(
        (1, 32, 8, 10), node("Conv", "x w", "a", pads=(1, 1, 1, 1)), node("Conv", "a w", "y", pads=(1, 1, 1, 1)),
        w=normal(32, 32, 3, 3),
    )  # fmt: skip
    p = program(graph, "winograd_f4x3", threads)
    value = 4 * 32 * 8 * 10
    packed = sum(b.nbytes for b in p.buffers if b.weights is not None) // 2
    assert packed >= 4 * (36 * 32 * 32 + 32)
    assert any(b.scratch for b in p.buffers)
    once = value + packed + value
    assert step_bytes(p) == [2 * value + once, once, 2 * value]


def test_what_is_free_moves_nothing() -> None:
    branches = chain(
        (1, 32, 6, 6),
        node("Conv", "x w", "a"),
        node("Conv", "x w", "b"),
        node("Concat", "a b", "both", axis=1),
        node("Conv", "both v", "y"),
        w=normal(32, 32, 1, 1), v=normal(8, 64, 1, 1),
    )  # fmt: skip
    p = program(branches, "direct")
    free = [number for number, step in enumerate(p.steps) if step.rows == 0]
    assert [p.steps[number].operator for number in free] == ["Concat"]
    assert [step_bytes(p)[number] for number in free] == [0]
