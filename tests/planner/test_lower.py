"""Limits that are checked before memory is asked for."""

import pytest

from tests.planner.programs import chain, node, normal, program
from tinycnn import knobs
from tinycnn.errors import LimitError
from tinycnn.ir import Graph


def strided(stride: int, pad: int = 0, group: int = 1) -> Graph:
    convolution = node("Conv", "x w", "wide", strides=(stride, 1), pads=(1, 1, pad, 1), group=group)
    return chain((2, 19, 9, 7), convolution, w=normal(19, 19 // group, 3, 3))


@pytest.mark.parametrize("algorithm", ["", "direct", "im2col", "depthwise"])
@pytest.mark.parametrize("group", [1, 19])
def test_a_stride_that_no_address_can_take(algorithm: str, group: int) -> None:
    try:
        program(strided(1 << 62, group=group), algorithm)
    except LimitError as error:
        assert "wide" in str(error)


def test_taps_that_no_address_can_take() -> None:
    turned = node("ConvTranspose", "x w", "far", dilations=(1 << 62, 1), pads=(1 << 62, 0, 0, 0))
    with pytest.raises(LimitError, match="'far'"):
        program(chain((1, 3, 5, 4), turned, w=normal(3, 2, 2, 3)))


def test_more_scratch_than_is_allowed() -> None:
    with pytest.raises(LimitError, match=f"scratch of wide.*{knobs.MEMORY.name}"):
        program(strided(1 << 26, 1 << 28), "direct")


def test_values_that_are_too_large_together(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = chain((1, 16, 50, 50), node("Relu", "x", "a"), node("Add", "a x", "y"))
    monkeypatch.setenv(knobs.MEMORY.name, "200000")
    with pytest.raises(LimitError, match=knobs.MEMORY.name):
        program(graph)
