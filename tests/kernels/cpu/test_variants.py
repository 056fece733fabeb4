"""Choices of one request: each has a name of its own, and variants of an algorithm give the same bits."""

import numpy as np
import pytest

from tests.cases.conv import ALL, ConvCase
from tests.kernels.cpu.harness import choices, execute, request
from tests.planner.programs import (
    classifier,
    convolutions,
    grouped,
    in_blocks,
    moves,
    normalised,
    products,
    square,
    upwards,
)
from tinycnn.kernels.cpu import isa
from tinycnn.planner.choose import Options, choose
from tinycnn.planner.select import offers
from tinycnn.session import ALGORITHMS

LARGE = [
    ConvCase((1, 70, 30, 29), (50, 70, 3, 3), pads=(1, 1, 1, 1), residual=True),
    ConvCase((2, 33, 17, 13), (65, 33, 3, 3), pads=(0, 2, 1, 0)),
    ConvCase((1, 40, 15, 33), (40, 1, 3, 3), pads=(1, 1, 1, 1), group=40),
    ConvCase((1, 40, 15, 33), (40, 4, 3, 3), pads=(1, 1, 1, 1), group=10),
    ConvCase((2, 128, 9, 7), (64, 128, 1, 1), residual=True),
    ConvCase((1, 3, 20, 23), (17, 3, 9, 9), strides=(2, 2), pads=(4, 4, 4, 4)),
]


@pytest.mark.parametrize("case", [*ALL, *LARGE], ids=str)
def test_variants_of_an_algorithm_give_the_same_bits(case: ConvCase) -> None:
    arrays = case.arrays()
    r = request(case.op, arrays, [1, 2], "blocked", isa.current(), 2)
    offered = choices(r)
    assert len({c.name for c in offered}) == len(offered)
    assert {c.algorithm for c in offered} <= set(ALGORITHMS)
    for choice in offered:
        first = next(c for c in offered if c.computes_as(choice))
        if choice is not first:
            np.testing.assert_array_equal(execute(r, choice, arrays)[0], execute(r, first, arrays)[0])


GRAPHS = (classifier, convolutions, grouped, in_blocks, moves, normalised, products, square, upwards)


@pytest.mark.parametrize("make", GRAPHS, ids=lambda f: f.__name__)
def test_names_tell_the_choices_of_every_operator_apart(make) -> None:
    for r, _ in choose(make(), Options(isa.current(), 1)):
        names = [c.name for c in offers(r)]
        assert len(set(names)) == len(names), names
