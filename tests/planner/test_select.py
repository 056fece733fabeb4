"""The choice among kernels."""

from dataclasses import replace

import numpy as np
import pytest

from tests.planner import programs
from tests.planner.requests import SHAPES, convolution
from tinycnn.errors import OptionError
from tinycnn.kernels.cpu import isa
from tinycnn.planner.choose import Options, choose
from tinycnn.planner.select import Selection, offers, select
from tinycnn.session import ALGORITHMS


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_number_of_threads_chooses_no_algorithm(shape: tuple[int, int, int, int, int]) -> None:
    r = convolution(*shape)
    found = [select(replace(r, threads=threads), {}) for threads in (1, 2, 3, 4, 8, 64)]
    assert len({(c.algorithm, tuple(c.inputs), c.output) for c in found if c}) == 1
    assert None not in found


def test_a_wish_is_followed() -> None:
    r = convolution(*SHAPES[0])
    for algorithm in ("direct", "im2col", "winograd_f2x3", "winograd_f4x3", "winograd_f6x3"):
        for threads in (1, 2):
            choice = select(replace(r, threads=threads), {"": algorithm})
            assert choice and choice.algorithm == algorithm and "asked for" in choice.reason


def test_a_wish_that_cannot_be_followed() -> None:
    r = convolution(*SHAPES[1])
    choice = select(r, {"": "winograd_f4x3"})
    assert choice and choice.algorithm != "winograd_f4x3"
    with pytest.raises(OptionError, match="direct"):
        select(r, {r.node.name: "winograd_f4x3"})


GRAPHS = (programs.convolutions, programs.square, programs.grouped, programs.pixels, programs.strided, programs.halves)


@pytest.mark.parametrize("make", [*GRAPHS, programs.integers], ids=lambda f: f.__name__)
def test_what_a_refused_wish_is_told_may_be_asked_for(make) -> None:
    if make is programs.integers and not isa.current().multiplies_bytes:
        pytest.skip("this processor does not multiply bytes")
    offered = [offers(r) for r, _ in choose(make(), Options(isa.current(), 1)) if "Conv" in r.node.kind]
    assert offered and {choice.algorithm for choices in offered for choice in choices} <= {*ALGORITHMS}


def test_the_runner_up_is_told() -> None:
    choice = select(convolution(*SHAPES[0]), {})
    assert choice and "ms predicted" in choice.reason
    assert np.isfinite(choice.time_s)


def test_layers_alike_are_selected_alike() -> None:
    """Each by its own weights, and by the wish for its own node."""
    named = {SHAPES[1]: "im2col"}
    requests = []
    for shape in (*SHAPES, *SHAPES):
        for wished in (False, True):
            r = convolution(*shape)
            node = replace(r.node, name=named.get(shape, "") if wished else "any")
            requests.append(replace(r, node=node, threads=2))
    wishes = {"im2col": "im2col"}
    selection = Selection(wishes, {})
    for r in requests:
        found, alone = selection.of(r), select(r, wishes)
        assert found and alone
        assert (found.name, found.reason, found.time_s) == (alone.name, alone.reason, alone.time_s)
        assert found.emit.args[0] is r  # type: ignore[attr-defined]
    assert len(selection.selected) == len(SHAPES) + len(named)
