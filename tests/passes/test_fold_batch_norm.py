"""Batch normalisation disappears, without a change of what the network computes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.passes.network import Line, applied, kinds, network, nodes, weights
from tinycnn.ir import Graph
from tinycnn.ops.average_pool import AveragePool
from tinycnn.ops.batch_normalization import BatchNormalization
from tinycnn.ops.concat import Concat
from tinycnn.ops.conv import Conv
from tinycnn.ops.conv_transpose import ConvTranspose
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.global_average_pool import GlobalAveragePool
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.op import Op
from tinycnn.ops.relu import Relu
from tinycnn.ops.resize import Resize
from tinycnn.passes.fold_batch_norm import fold_batch_norm


def statistics(c: int, letter: str = "", seed: int = 7) -> dict[str, np.ndarray]:
    gamma, beta, mean, var = weights(4, c, seed=seed)
    return dict(zip((n + letter for n in "gbmv"), (gamma, beta, mean, np.abs(var) + 0.1), strict=True))


def test_it_folds_into_the_convolution_before_it() -> None:
    graph = network(
        [("a", Conv(), "x w"), ("y", BatchNormalization(epsilon=1e-3), "a g b m v")],
        {"w": weights(5, 3, 3, 2), **statistics(5)},
    )
    after = applied(fold_batch_norm, graph)
    assert nodes(after) == ["y = Conv(x, w, a.bias)"]
    assert [(a.node, a.what, a.detail) for a in after.report] == [("y", "folded", "into Conv 'a'")]


def test_the_bias_before_it_is_scaled_too() -> None:
    graph = network(
        [("a", Conv(), "x w c"), ("y", BatchNormalization(), "a g b m v")],
        {"w": weights(5, 3, 3, 2), "c": weights(5), **statistics(5)},
    )
    assert nodes(applied(fold_batch_norm, graph)) == ["y = Conv(x, w, c)"]


def test_weights_that_another_node_reads_stay() -> None:
    graph = network(
        [("a", Conv(), "x w"), ("y", BatchNormalization(), "a g b m v"), ("z", Conv(), "x w")],
        {"w": weights(5, 3, 3, 2), **statistics(5)},
        outputs="y z",
    )
    assert nodes(applied(fold_batch_norm, graph)) == ["y = Conv(x, w.1, a.bias)", "z = Conv(x, w)"]


@pytest.mark.parametrize(
    "op, w, x",
    [
        (Conv(pads=(1, 0, 2, 1), strides=(2, 1)), (6, 3, 3, 2), ("N", 3, 7, 5)),
        (Conv(group=3), (6, 1, 2, 3), ("N", 3, 7, 5)),
        (Conv(), (4, 3, 3), ("N", 3, 7)),
        (ConvTranspose(strides=(2, 3), pads=(0, 1, 1, 0)), (3, 5, 3, 2), ("N", 3, 4, 5)),
        (ConvTranspose(group=2), (4, 3, 2, 2), ("N", 4, 4, 5)),
        (Gemm(), (3, 7), ("N", 3)),
        (Gemm(transB=1, alpha=0.5), (7, 3), ("N", 3)),
    ],
    ids=str,
)
def test_every_linear_operator_takes_it_up(op: Op, w: tuple[int, ...], x: tuple[int | str, ...]) -> None:
    channels = w[1] * op.group if isinstance(op, ConvTranspose) else w[0]
    channels = w[0 if op.transB else 1] if isinstance(op, Gemm) else channels
    graph = network(
        [("a", op, "x w"), ("y", BatchNormalization(), "a g b m v")],
        {"w": weights(*w), **statistics(channels)},
        {"x": x},
    )
    assert kinds(applied(fold_batch_norm, graph)) == [op.kind]


def two_convolutions(second: Conv) -> Graph:
    return network(
        [("a", Conv(), "x w"), ("r", Relu(), "a"), ("n", BatchNormalization(), "r g b m v"), ("y", second, "n u c")],
        {"w": weights(4, 3, 1, 1), "u": weights(6, 4 // second.group, 3, 3), "c": weights(6), **statistics(4)},
    )


@pytest.mark.parametrize("group", [1, 2])
def test_it_folds_into_the_convolution_after_it_where_nothing_is_padded(group: int) -> None:
    after = applied(fold_batch_norm, two_convolutions(Conv(group=group)))
    assert kinds(after) == ["Conv", "Relu", "Conv"]


def test_padding_before_the_convolution_after_it_is_not_shifted() -> None:
    after = applied(fold_batch_norm, two_convolutions(Conv(pads=(1, 1, 1, 1))))
    assert kinds(after) == ["Conv", "Relu", "ScaleShift", "Conv"]


def test_a_pure_factor_passes_padding() -> None:
    graph = two_convolutions(Conv(pads=(1, 1, 1, 1)))
    zero = np.zeros(4, np.float32)
    graph = graph.replace(constants={**graph.constants, "b": zero, "m": zero})
    assert kinds(applied(fold_batch_norm, graph)) == ["Conv", "Relu", "Conv"]


def test_one_after_another_is_one() -> None:
    graph = network(
        [("a", BatchNormalization(), "x g b m v"), ("y", BatchNormalization(), "a gg bb mm vv")],
        {**statistics(3), **{k * 2: v for k, v in statistics(3, seed=9).items()}},
    )
    assert nodes(applied(fold_batch_norm, graph)) == ["y = ScaleShift(x, a.scale, a.shift)"]


@pytest.mark.parametrize(
    "op, read",
    [
        (AveragePool((2, 2), pads=(1, 0, 0, 1)), "a"),
        (GlobalAveragePool(), "a"),
        (Resize("linear", "align_corners"), "a - twice"),
        (Resize("cubic", "half_pixel", axes=(2, 3)), "a - - sizes"),
    ],
    ids=str,
)
def test_it_passes_through_means(op: Op, read: str) -> None:
    constants = {
        "w": weights(5, 3, 3, 2),
        "twice": np.array([1.0, 1, 2, 2]),
        "sizes": np.array([9, 11]),
        **statistics(5),
    }
    graph = network([("a", Conv(), "x w"), ("r", op, read), ("y", BatchNormalization(), "r g b m v")], constants)
    assert kinds(applied(fold_batch_norm, graph)) == ["Conv", op.kind]


def test_it_is_shared_out_to_the_branches_of_a_concatenation() -> None:
    lines: list[Line] = [
        ("a", Conv(), "x w"), ("e", ConvTranspose(pads=(0, 0, 1, 1)), "x t"),
        ("p", MaxPool((3, 3), pads=(1, 1, 1, 1)), "x"), ("c", Concat(1), "a e"),
        ("y", BatchNormalization(), "c g b m v"),
    ]  # fmt: skip
    constants = {"w": weights(2, 3, 1, 1), "t": weights(3, 3, 2, 2), **statistics(5)}
    after = applied(fold_batch_norm, network(lines, constants))
    assert nodes(after) == [
        "a = Conv(x, w, a.bias)", "e = ConvTranspose[pads=(0, 0, 1, 1)](x, t, e.bias)", "y = Concat[axis=1](a, e)",
    ]  # fmt: skip
    lines[3:] = [("c", Concat(1), "a p"), lines[4]]
    assert "ScaleShift" in kinds(applied(fold_batch_norm, network(lines, constants)))


@pytest.mark.parametrize(
    "op, read",
    [
        (AveragePool((2, 2), pads=(1, 0, 0, 1), count_include_pad=1), "a"),
        (MaxPool((2, 2)), "a"),
        (Resize("linear", "asymmetric"), "a - channels"),
    ],
    ids=str,
)
def test_it_stays_behind_other_operators(op: Op, read: str) -> None:
    constants = {
        "w": weights(5, 3, 3, 2),
        "channels": np.array([1.0, 1.4, 1, 1]),
        **statistics(7 if "chan" in read else 5),
    }
    graph = network([("a", Conv(), "x w"), ("r", op, read), ("y", BatchNormalization(), "r g b m v")], constants)
    assert "ScaleShift" in kinds(applied(fold_batch_norm, graph))


@pytest.mark.parametrize("outputs", ["y a", "y z"])
def test_a_convolution_that_is_read_elsewhere_stays(outputs: str) -> None:
    graph = network(
        [("a", Conv(), "x w"), ("y", BatchNormalization(), "a g b m v"), ("z", Relu(), "a")],
        {"w": weights(5, 3, 3, 2), **statistics(5)},
        outputs=outputs,
    )
    assert "ScaleShift" in kinds(applied(fold_batch_norm, graph))


def test_statistics_that_are_no_constants_are_left() -> None:
    graph = network(
        [("a", Conv(), "x w"), ("y", BatchNormalization(), "a g b m u")],
        {"w": weights(5, 3, 3, 2), **statistics(5)},
        {"x": ("N", 3, 7, 5), "u": (5,)},
    )
    assert fold_batch_norm(graph) is graph


@pytest.mark.parametrize(
    "op, read, sizes",
    [
        (Conv(), "x w", {"m": 4}),
        (Conv(), "x w", {"v": 0}),
        (Conv(), "x w w", {}),
        (ConvTranspose(group=2), "x w", {}),
        (ConvTranspose(group=0), "x w", {}),
        (Gemm(), "x d w", {}),
    ],
    ids=str,
)
def test_what_no_definition_allows_is_left_to_be_refused(op: Op, read: str, sizes: dict[str, int]) -> None:
    constants = {"w": weights(3, 3, 3, 3), "d": weights(3, 3), **statistics(3)}
    constants |= {name: weights(size) for name, size in sizes.items()}
    graph = network([("a", op, read), ("y", BatchNormalization(), "a g b m v")], constants)
    assert nodes(fold_batch_norm(graph))[0] == nodes(graph)[0]


@settings(max_examples=40, deadline=None)
@given(
    g=st.integers(1, 3), ci=st.integers(1, 3), co=st.integers(1, 3), kh=st.integers(1, 3), kw=st.integers(1, 3),
    pad=st.integers(0, 2), seed=st.integers(0, 99), bias=st.booleans(),
)  # fmt: skip
def test_any_shape(g: int, ci: int, co: int, kh: int, kw: int, pad: int, seed: int, bias: bool) -> None:
    w, c = weights(co * g, ci, kh, kw, seed=seed), weights(co * g, seed=seed)
    graph = network(
        [
            ("a", BatchNormalization(), "x gx bx mx vx"),
            ("b", Conv(group=g, pads=(pad, 0, 0, pad)), "a w c" if bias else "a w"),
            ("y", BatchNormalization(), "b gy by my vy"),
        ],
        {"w": w, "c": c, **statistics(ci * g, "x", seed), **statistics(co * g, "y", seed + 1)},
        {"x": ("N", ci * g, 5, 4)},
    )
    after = applied(fold_batch_norm, graph, seed=seed)
    assert kinds(after) == (["ScaleShift", "Conv"] if pad else ["Conv"])
