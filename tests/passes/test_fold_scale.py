"""Constants that multiply or are added end in the weights beside them; so does the keep probability of a dropout."""

import numpy as np
import pytest

from tests.passes.network import Line, applied, kinds, network, nodes, same_meaning, weights
from tinycnn import passes
from tinycnn.ops import Op
from tinycnn.ops.add import Add
from tinycnn.ops.average_pool import AveragePool
from tinycnn.ops.conv import Conv
from tinycnn.ops.conv_transpose import ConvTranspose
from tinycnn.ops.div import Div
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.mul import Mul
from tinycnn.ops.op import Op as AnyOp
from tinycnn.ops.relu import Relu
from tinycnn.ops.scale_shift import ScaleShift
from tinycnn.ops.sigmoid import Sigmoid
from tinycnn.ops.sub import Sub
from tinycnn.ops.transpose import Transpose
from tinycnn.passes.fold_scale import fold_scale

CONSTANTS = {
    "w": weights(4, 3, 3, 2), "b": weights(4), "u": weights(2, 4, 1, 2), "d": weights(3, 4, 2, 2), "m": weights(3, 4),
    "s": np.float32(0.7), "n": np.float32(-0.7), "zero": np.float32(0), "row": weights(4),
    "c3": weights(3, 1, 1), "c4": weights(4, 1, 1), "c144": weights(1, 4, 1, 1), "wide": weights(4, 5, 4),
    "g": weights(6, 60), "p3": weights(3), "map": weights(5, 4),
}  # fmt: skip


@pytest.mark.parametrize("op", [Mul(), Add(), Sub(), Div()], ids=str)
@pytest.mark.parametrize("constant", ["s", "c4", "c144"])
@pytest.mark.parametrize(
    "linear, read", [(Conv(pads=(1, 0, 0, 1)), "x w b"), (Conv(), "x w"), (ConvTranspose(), "x d")]
)
def test_into_the_operator_before(op: Op, constant: str, linear: AnyOp, read: str) -> None:
    graph = network([("a", linear, read), ("y", op, f"a {constant}")], CONSTANTS)
    assert kinds(applied(fold_scale, graph)) == [linear.kind]


@pytest.mark.parametrize("op, expected", [(Mul(), 1), (Add(), 1), (Sub(), 1), (Div(), 2)], ids=str)
def test_the_constant_may_come_first(op: Op, expected: int) -> None:
    graph = network([("a", Conv(), "x w b"), ("y", op, "c4 a")], CONSTANTS)
    assert len(applied(fold_scale, graph).nodes) == expected


def test_into_a_dense_layer_with_its_factors() -> None:
    graph = network(
        [("a", Gemm(alpha=2.0, beta=0.5), "x m b"), ("c", Mul(), "a row"), ("y", Add(), "c s")],
        CONSTANTS,
        {"x": ("N", 3)},
    )
    assert nodes(applied(fold_scale, graph)) == ["y = Gemm(x, m, b)"]


def test_into_a_multiply_add() -> None:
    graph = network([("a", ScaleShift(), "x p3 p3"), ("e", Mul(), "a c3"), ("y", Add(), "e s")], CONSTANTS)
    assert nodes(applied(fold_scale, graph)) == ["y = ScaleShift(x, p3.1, p3.2)"]


@pytest.mark.parametrize("constant", ["row", "wide", "map"])
def test_constants_along_other_axes_stay(constant: str) -> None:
    graph = network([("a", Conv(), "x w"), ("y", Mul(), f"a {constant}")], CONSTANTS)
    assert fold_scale(graph) is graph


def test_division_by_zero_stays() -> None:
    graph = network([("a", Conv(), "x w"), ("y", Div(), "a zero")], CONSTANTS)
    assert fold_scale(graph) is graph


@pytest.mark.parametrize("op, pads, left", [
    (Mul(), (1, 1, 1, 1), 1), (Div(), (1, 1, 1, 1), 1), (Add(), (), 1), (Sub(), (), 1), (Add(), (0, 0, 0, 1), 2),
])  # fmt: skip
@pytest.mark.parametrize("constant", ["s", "c3"])
def test_preprocessing_ends_in_the_first_layer(op: Op, pads: tuple[int, ...], left: int, constant: str) -> None:
    graph = network([("a", op, f"x {constant}"), ("y", Conv(pads=pads), "a w b")], CONSTANTS)
    assert len(applied(fold_scale, graph).nodes) == left


def test_a_factor_and_a_shift() -> None:
    graph = network([("a", Sub(), "x c3"), ("e", Div(), "a c3"), ("y", Conv(), "e w")], CONSTANTS)
    assert nodes(applied(fold_scale, graph)) == ["y = Conv(x, w, y.bias)"]


def test_a_constant_that_makes_more_channels_stays() -> None:
    graph = network([("a", Mul(), "x c3"), ("y", Conv(), "a w")], CONSTANTS, {"x": ("N", 1, 7, 5)})
    assert fold_scale(graph) is graph


def dropped(factor: str, *between: Op) -> list[Line]:
    """Two layers with a dropout's factor after the first, and other operators between that and the second."""
    lines: list[Line] = [("a", Conv(), "x w b"), ("r", Relu(), "a"), ("k", Mul(), f"r {factor}")]
    value = "k"
    for i, op in enumerate(between):
        lines.append((f"k{i}", op, value))
        value = f"k{i}"
    return [*lines, ("y", Conv(pads=(1, 1, 1, 1)), f"{value} u")]


POOL = MaxPool((2, 2), pads=(1, 1, 1, 1))


@pytest.mark.parametrize(
    "factor, between",
    [
        ("s", []),
        ("c4", []),
        ("n", []),
        ("s", [POOL]),
        ("s", [Relu(), POOL]),
        ("n", [AveragePool((2, 2), pads=(1, 1, 1, 1))]),
        ("n", [Transpose((0, 1, 3, 2))]),
    ],
)
def test_a_factor_reaches_the_next_layer(factor: str, between: list[Op]) -> None:
    after = applied(fold_scale, network(dropped(factor, *between), CONSTANTS))
    assert "Mul" not in kinds(after)
    assert [(a.node, a.what, a.detail) for a in after.report] == [("k", "folded", "into Conv 'y'")]


@pytest.mark.parametrize(
    "factor, between",
    [("n", [POOL]), ("n", [Relu()]), ("zero", [Relu()]), ("s", [Sigmoid()]), ("c4", [POOL])],
    ids=["negative through MaxPool", "negative through Relu", "zero", "not homogeneous", "one per channel"],
)
def test_a_factor_stays(factor: str, between: list[Op]) -> None:
    graph = network(dropped(factor, *between), CONSTANTS)
    assert fold_scale(graph) is graph


@pytest.mark.parametrize("outputs", ["y k", "y k0", "y z"])
def test_a_factor_whose_result_is_read_elsewhere_stays(outputs: str) -> None:
    graph = network([*dropped("s", POOL), ("z", Relu(), "k0")], CONSTANTS, outputs=outputs)
    assert "Mul" in kinds(applied(fold_scale, graph))


def test_dropout_scaling_changes_weights_and_nothing_else() -> None:
    """A classifier whose every layer was trained with dropout that scaled nothing: only layers are left."""
    lines: list[Line] = [
        ("a", Conv(pads=(1, 1, 1, 1)), "x w1"), ("r", Relu(), "a"), ("k", Mul(), "r s"),
        ("p", MaxPool((2, 2), (2, 2)), "k"), ("f", Flatten(), "p"), ("g", Gemm(), "f g1 b6"),
        ("h", Relu(), "g"), ("i", Mul(), "h half"), ("y", Gemm(transB=1), "i g2"),
    ]  # fmt: skip
    constants = {
        "w1": weights(5, 3, 3, 3), "g1": weights(30, 6), "b6": weights(6), "g2": weights(4, 6), "s": np.float32(0.8),
        "half": np.float32(0.5),
    }  # fmt: skip
    graph = network(lines, constants)
    after = passes.run(graph, passes.LOAD)
    same_meaning(graph, after)
    assert kinds(after) == ["Conv", "MaxPool", "Flatten", "Gemm", "Gemm"]
    np.testing.assert_allclose(after.constants["g1"], 0.8 * graph.constants["g1"], rtol=1e-6)
    np.testing.assert_array_equal(after.constants["g2"], 0.5 * graph.constants["g2"])
    assert [a.node for a in after.report if a.what == "folded"] == ["k", "i"]
