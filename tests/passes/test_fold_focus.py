"""Interleaved quarters of an image are convolved in place."""

from itertools import permutations

import numpy as np
import pytest

from tests.passes.network import Line, applied, kinds, network, nodes, weights
from tinycnn.ops.concat import Concat
from tinycnn.ops.conv import Conv
from tinycnn.ops.relu import Relu
from tinycnn.ops.slice import Slice
from tinycnn.passes.fold_focus import fold_focus

END = (1 << 63) - 1
CONSTANTS = {
    "zero": np.array([0]), "one": np.array([1]), "end": np.array([END]), "rows": np.array([2]),
    "columns": np.array([3]), "two": np.array([2]), "both": np.array([2, 3]), "ends": np.array([END, END]),
    "twos": np.array([2, 2]), "short": np.array([5]), **{f"at{r}{c}": np.array([r, c]) for r in (0, 1) for c in (0, 1)},
    "w": weights(5, 12, 3, 2), "b": weights(5),
}  # fmt: skip
INPUT: dict[str, tuple[int | str, ...]] = {"x": (2, 3, 10, 8)}


def focus(order: tuple[int, ...], conv: Conv, end: str = "end") -> list[Line]:
    """The quarters by two slices each, as PyTorch exports them, joined in some order."""
    lines: list[Line] = []
    for i, row in enumerate(("zero", "one")):
        lines.append((f"r{i}", Slice(), f"x {row} {end} rows two"))
        lines += [(f"q{i}{j}", Slice(), f"r{i} {column} end columns two") for j, column in enumerate(("zero", "one"))]
    quarters = ("q00", "q10", "q01", "q11")
    return [*lines, ("e", Concat(1), " ".join(quarters[i] for i in order)), ("y", conv, "e w b")]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_any_order(order: tuple[int, ...]) -> None:
    graph = network(focus(order, Conv()), CONSTANTS, INPUT)
    assert nodes(applied(fold_focus, graph)) == ["y = Conv[strides=(2, 2)](x, w, b)"]


@pytest.mark.parametrize(
    "conv", [Conv(pads=(1, 0, 2, 1)), Conv(strides=(2, 1), pads=(1, 1, 1, 1)), Conv(dilations=(1, 1))]
)
def test_any_window(conv: Conv) -> None:
    assert kinds(applied(fold_focus, network(focus((0, 1, 2, 3), conv), CONSTANTS, INPUT))) == ["Conv"]


def test_one_slice_for_each_quarter() -> None:
    lines: list[Line] = [(f"q{at}", Slice(), f"x at{at} ends both twos") for at in ("00", "10", "01", "11")]
    graph = network([*lines, ("e", Concat(1), "q00 q10 q01 q11"), ("y", Conv(), "e w")], CONSTANTS, INPUT)
    assert nodes(applied(fold_focus, graph)) == ["y = Conv[strides=(2, 2)](x, w)"]


@pytest.mark.parametrize(
    "lines, outputs",
    [
        (focus((0, 1, 2, 2), Conv()), "y"),
        (focus((0, 1, 2, 3), Conv(dilations=(2, 1))), "y"),
        ([*focus((0, 1, 2, 3), Conv()), ("z", Relu(), "e")], "y z"),
        (focus((0, 1, 2, 3), Conv()), "y e"),
        (focus((0, 1, 2, 3), Conv(), "short"), "y"),
    ],
    ids=["a quarter twice", "dilated", "two readers", "graph output", "not to the end"],
)
def test_refusals(lines: list[Line], outputs: str) -> None:
    inputs = {"x": (2, 3, 6, 8)} if "short" in lines[0][2] else INPUT
    graph = network(lines, CONSTANTS, inputs, outputs)
    assert fold_focus(graph) is graph
