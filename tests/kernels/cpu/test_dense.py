"""Convolutions whose kernels cover their input are dense layers, for every instruction set and number of threads."""

from dataclasses import replace

import pytest

from tests.cases.conv import RELU, ConvCase
from tests.kernels.cpu.harness import choices, execute_alike, request
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import cost, isa
from tinycnn.ops.activation import Activation

WHOLE = [
    ConvCase((1, 67, 1, 1), (45, 67, 1, 1), activation=RELU),
    ConvCase((1, 5, 4, 3), (19, 5, 4, 3), residual=True),
    ConvCase((1, 40, 7, 7), (33, 40, 7, 7), bias=False, activation=Activation("tanh")),
    ConvCase((1, 6, 9), (8, 6, 9), strides=(2,), residual=True, activation=Activation("sigmoid")),
    ConvCase((1, 16, 1, 1), (1, 16, 1, 1), strides=(3, 2), dilations=(2, 2)),
]


def offers(case: ConvCase, name: str, monkeypatch: pytest.MonkeyPatch):
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    no_cache = replace(cost.caches(), l2_bytes=0)
    monkeypatch.setattr(cost, "caches", lambda: no_cache)
    arrays = case.arrays()
    r = request(case.op, arrays, [1, 2], "plain", isa.ISAS[name], 3)
    return r, arrays, [c for c in choices(r) if c.algorithm == "dense"]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", WHOLE, ids=str)
def test_matches_the_reference_with_any_number_of_threads(case, name, monkeypatch):
    r, arrays, [choice] = offers(case, name, monkeypatch)
    reference, magnitude = case.op.reference(*arrays)[0], case.magnitude(arrays)
    [y] = execute_alike(r, choice, arrays)
    assert_close(y, reference, ROUNDING(8), magnitude)


@pytest.mark.parametrize(
    "case",
    [
        ConvCase((1, 5, 4, 4), (7, 5, 3, 3)),
        ConvCase((1, 5, 4, 4), (7, 5, 4, 4), pads=(1, 1, 1, 1)),
        ConvCase((1, 5, 5, 5), (7, 5, 3, 3), dilations=(2, 2)),
        ConvCase((1, 6, 4, 4), (6, 3, 4, 4), group=2),
        ConvCase((1, 5, 3, 3), (7, 5, 1, 1), strides=(3, 3)),
        ConvCase((64, 5, 3, 3), (7, 5, 3, 3)),
    ],
    ids=["smaller", "padded", "dilated", "grouped", "one pixel of many", "many rows"],
)
def test_offers_nothing_for_what_is_no_dense_layer(case, monkeypatch):
    assert not offers(case, "portable", monkeypatch)[2]


def test_weights_that_a_cache_holds_are_left_to_other_algorithms() -> None:
    case = ConvCase((1, 16, 1, 1), (16, 16, 1, 1))
    r = request(case.op, case.arrays(), [1, 2], "plain", isa.current(), 1)
    assert "dense" not in {c.algorithm for c in choices(r)}
