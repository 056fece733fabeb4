"""The passes together: invariants are checked, reports are kept, and blocks of known networks come out as expected."""

import numpy as np
import pytest

from tests.passes.network import Line, bound, kinds, network, same_meaning, weights
from tinycnn import passes
from tinycnn.errors import GraphError
from tinycnn.ir import Action, Graph, text
from tinycnn.ops.add import Add
from tinycnn.ops.average_pool import AveragePool
from tinycnn.ops.batch_normalization import BatchNormalization
from tinycnn.ops.clip import Clip
from tinycnn.ops.conv import Conv
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.matmul import MatMul
from tinycnn.ops.mul import Mul
from tinycnn.ops.relu import Relu
from tinycnn.ops.sigmoid import Sigmoid
from tinycnn.passes.rewriter import Rewriter

BN = BatchNormalization()
PAD1 = (1, 1, 1, 1)


def test_the_pass_that_breaks_a_graph_is_named() -> None:
    def lose_a_value(graph: Graph) -> Graph:
        return graph.replace(nodes=graph.nodes[1:])

    with pytest.raises(GraphError, match="after lose_a_value: Relu 'y' reads 'a'"):
        passes.run(network([("a", Relu(), "x"), ("y", Relu(), "a")]), [lose_a_value])


def test_reports_add_up() -> None:
    graph = network([("a", Conv(), "x w"), ("n", BN, "a g g g v"), ("y", Relu(), "n")], {
        "w": weights(5, 3, 3, 2), "g": weights(5), "v": np.ones(5),
    })  # fmt: skip
    graph = graph.replace(report=(Action("d", "Dropout", "removed"),))
    assert [(a.node, a.what) for a in passes.run(graph, passes.LOAD).report] == [
        ("d", "removed"), ("n", "folded"), ("y", "fused"),
    ]  # fmt: skip


def normalised(name: str, x: str, conv: Conv, co: int, ci: int, k: int) -> tuple[list[Line], dict[str, np.ndarray]]:
    """A convolution without bias and its batch normalisation, whose value is called `name`."""
    constants = {
        f"{name}.w": weights(co, ci // conv.group, k, k) / (k * ci**0.5), f"{name}.g": weights(co) + 1,
        f"{name}.b": weights(co), f"{name}.m": weights(co), f"{name}.v": np.abs(weights(co)) + 0.5,
    }  # fmt: skip
    statistics = " ".join(f"{name}.{letter}" for letter in "gbmv")
    return [(f"{name}.c", conv, f"{x} {name}.w"), (name, BN, f"{name}.c {statistics}")], constants


def block(*parts: tuple[list[Line], dict[str, np.ndarray]] | Line) -> tuple[list[Line], dict[str, np.ndarray]]:
    lines: list[Line] = []
    constants: dict[str, np.ndarray] = {}
    for part in parts:
        if len(part) == 2:
            lines += part[0]
            constants.update(part[1])
        else:
            lines.append(part)
    return lines, constants


RESNET = block(
    normalised("s", "x", Conv(pads=PAD1), 4, 3, 3), ("t", Relu(), "s"),
    normalised("a", "t", Conv(pads=PAD1, strides=(2, 2)), 6, 4, 3), ("b", Relu(), "a"),
    normalised("d", "b", Conv(pads=PAD1), 6, 6, 3), normalised("e", "t", Conv(strides=(2, 2)), 6, 4, 1),
    ("f", Add(), "d e"), ("h", Relu(), "f"), ("i", AveragePool((4, 3)), "h"), ("j", Flatten(), "i"),
    ("k", MatMul(), "j dense"), ("y", Add(), "k bias"),
)  # fmt: skip
MOBILENET = block(
    normalised("s", "x", Conv(pads=PAD1), 4, 3, 3), ("t", Clip(), "s low high"),
    normalised("a", "t", Conv(pads=PAD1, group=4), 4, 4, 3), ("b", Clip(), "a low high"),
    normalised("d", "b", Conv(), 4, 4, 1), normalised("e", "d", Conv(), 4, 4, 1), ("f", Sigmoid(), "e"),
    ("h", Mul(), "e f"), normalised("i", "h", Conv(), 4, 4, 1), ("y", Add(), "d i"),
)  # fmt: skip
MORE = {"dense": weights(6, 5), "bias": weights(5), "low": np.float32(0), "high": np.float32(6)}


@pytest.mark.parametrize(
    "network_of, expected",
    [
        (RESNET, ["Conv", "Conv", "Conv", "Conv", "GlobalAveragePool", "Reshape", "Gemm"]),
        (MOBILENET, ["Conv", "Conv", "Conv", "Conv", "Conv"]),
    ],
    ids=["resnet", "mobilenet"],
)
def test_blocks_of_networks(network_of: tuple[list[Line], dict[str, np.ndarray]], expected: list[str]) -> None:
    lines, constants = network_of
    graph = network(lines, {**constants, **MORE})
    after = passes.run(bound(passes.run(graph, passes.LOAD)), passes.BIND)
    assert kinds(after) == expected
    assert all(node.outputs[0] in after.specs for node in after.nodes)
    same_meaning(graph, after)


@pytest.mark.parametrize("name", [line[0] for line in RESNET[0]])
def test_every_value_survives_as_an_output(name: str) -> None:
    lines, constants = RESNET
    graph = network(lines, {**constants, **MORE}, outputs=f"y {name}" if name != "y" else "y")
    same_meaning(graph, passes.run(bound(passes.run(graph, passes.LOAD)), passes.BIND))


def test_passes_settle() -> None:
    """What a pass leaves, it leaves the second time, too; graphs that no pass changes are returned as they are."""
    lines, constants = RESNET
    graph = passes.run(network(lines, {**constants, **MORE}), passes.LOAD)
    assert text(passes.run(graph, passes.LOAD)) == text(graph)
    graph = passes.run(bound(graph), passes.BIND)
    assert passes.run(graph, passes.BIND) is graph


def test_graphs_are_never_changed() -> None:
    lines, constants = MOBILENET
    graph = network(lines, {**constants, **MORE})
    before, arrays = text(graph), {k: v.copy() for k, v in graph.constants.items()}
    passes.run(bound(passes.run(graph, passes.LOAD)), passes.BIND)
    assert text(graph) == before
    for name, array in arrays.items():
        np.testing.assert_array_equal(graph.constants[name], array)


def test_new_names_are_never_names_in_use() -> None:
    graph = network(
        [("a", Gemm(), "x w"), ("w.1", Relu(), "a"), ("y", Relu(), "w.1")], {"w": weights(3, 3)}, {"x": (2, 3)}
    )
    edit = Rewriter(graph)
    assert [edit.fresh("w"), edit.fresh("w"), edit.fresh("a"), edit.fresh("n")] == ["w.2", "w.3", "a.1", "n"]
