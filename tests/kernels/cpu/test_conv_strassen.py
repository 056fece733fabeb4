"""Strassen's convolution against its reference, for every tile, instruction set and number of threads."""

import numpy as np
import pytest

from tests.cases.conv import ALL, RELU, ConvCase
from tests.kernels.cpu.harness import choices, execute_alike, request
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import isa, strassen_plan
from tinycnn.ops.activation import Activation

# Even and odd pixels that fill their tiles or do not, as many or not; several chunks of tiles, and parts of one.
HALVES = [
    ConvCase((1, 64, 28, 28), (64, 64, 1, 1), activation=RELU, residual=True),
    ConvCase((2, 128, 7, 7), (192, 128, 1, 1), residual=True),
    ConvCase((3, 64, 5, 8), (128, 64, 1, 1), bias=False, activation=Activation("sigmoid")),
    ConvCase((1, 512, 20, 21), (64, 512, 1, 1)),
    ConvCase((2, 64, 15, 29), (64, 64, 1, 1), strides=(2, 3), residual=True),
    ConvCase((2, 64, 9, 11), (320, 64, 1, 1), activation=Activation("sigmoid"), residual=True),
    ConvCase((2, 64, 9, 11), (192, 64, 1, 1), activation=Activation("sigmoid"), residual=True),
    ConvCase((1, 64, 30, 5), (64, 64, 1, 1), strides=(1, 5)),
    ConvCase((1, 32, 50), (32, 32, 1), activation=Activation("clamp", 0.0, 6.0)),
    ConvCase((2, 64, 40, 3), (64, 64, 1, 1), strides=(1, 4)),
]


def test_seven_products_make_the_eight() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 4)), rng.standard_normal((2, 4))
    y = np.zeros(4)
    signs = {strassen_plan.NONE: 0, strassen_plan.SUBTRACT: -1}
    for of_x, of_w, targets in zip(strassen_plan.X, strassen_plan.W, strassen_plan.Y, strict=True):
        for quarter, how in targets:
            y[quarter] += signs.get(how, 1) * (np.array(of_x) @ x.T * (np.array(of_w) @ w.T))[0]
    np.testing.assert_allclose(y.reshape(2, 2), x[0].reshape(2, 2) @ w[0].reshape(2, 2), rtol=1e-13)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", [*HALVES, *ALL], ids=str)
def test_matches_the_reference_with_any_number_of_threads(case: ConvCase, name: str) -> None:
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    arrays = case.arrays()
    problem = request(case.op, arrays, [1, 2], "blocked", isa.ISAS[name], 3)
    offered = [c for c in choices(problem) if c.algorithm == "strassen"]
    if case in HALVES:
        assert offered
    reference, magnitude = case.op.reference(*arrays)[0], case.magnitude(arrays).max()
    for choice in offered:
        [y] = execute_alike(problem, choice, arrays)
        assert_close(y, reference, ROUNDING(16), magnitude)


@pytest.mark.parametrize(
    "case",
    [
        ConvCase((1, 64, 20, 20), (64, 64, 3, 3)),
        ConvCase((1, 64, 20, 20), (64, 64, 1, 1), pads=(1, 0, 0, 0)),
        ConvCase((1, 48, 20, 20), (64, 48, 1, 1)),
        ConvCase((1, 64, 20, 20), (40, 64, 1, 1)),
        ConvCase((1, 64, 20, 20), (64, 32, 1, 1), group=2),
        ConvCase((1, 64, 2, 3), (64, 64, 1, 1)),
    ],
    ids=["wide", "padded", "odd inputs", "odd outputs", "grouped", "few pixels"],
)
def test_is_not_offered_where_halves_are_not_whole(case: ConvCase) -> None:
    problem = request(case.op, case.arrays(), [1, 2], "blocked", isa.ISAS["avx512"], 1)
    assert not [c for c in choices(problem) if c.algorithm == "strassen"]
