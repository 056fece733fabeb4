"""Nodes that pass their input on disappear; names of graph outputs survive."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.numerics import EXACT
from tests.passes.network import Line, applied, bound, kinds, network, nodes
from tinycnn.ops import Op
from tinycnn.ops.add import Add
from tinycnn.ops.cast import Cast
from tinycnn.ops.clip import Clip
from tinycnn.ops.concat import Concat
from tinycnn.ops.depth_to_space import DepthToSpace
from tinycnn.ops.div import Div
from tinycnn.ops.dropout import Dropout
from tinycnn.ops.expand import Expand
from tinycnn.ops.global_max_pool import GlobalMaxPool
from tinycnn.ops.identity import Identity
from tinycnn.ops.max_pool import MaxPool
from tinycnn.ops.mul import Mul
from tinycnn.ops.pad import Pad
from tinycnn.ops.relu import Relu
from tinycnn.ops.resize import Resize
from tinycnn.ops.sigmoid import Sigmoid
from tinycnn.ops.slice import Slice
from tinycnn.ops.split import Split
from tinycnn.ops.sub import Sub
from tinycnn.ops.sum import Sum
from tinycnn.ops.tile import Tile
from tinycnn.ops.transpose import Transpose
from tinycnn.passes.drop_identity import drop_identity
from tinycnn.passes.drop_noops import drop_noops

CONSTANTS: Mapping[str, Any] = {
    "zero": np.float32(0), "one": np.float32(1), "half": np.float32(0.5), "ones": np.ones((1, 1, 1, 1, 1)),
    "p0": np.zeros(8, np.int64),
    "shifted": np.array([0, 0, 1, 0, 0, 0, -1, 0]), "start": np.array([0, 0]), "end": np.array([99, 5]),
    "back": np.array([-1]), "far": np.array([-99]), "last": np.array([3]), "axes": np.array([2, 3]),
    "same": np.array([2, 1, 7, 5]), "unit": np.ones(4),
    "grow": np.array([1, 1, 1.01, 1]), "by1": np.array([1, 1, 1, 1]),
}  # fmt: skip


@pytest.mark.parametrize(
    "op, read",
    [
        (Identity(), "r"), (Transpose((0, 1, 2, 3)), "r"), (Concat(1), "r"), (Sum(), "r"), (Clip(), "r"),
        (Mul(), "r one"), (Div(), "r one"), (Add(), "r zero"), (Sub(), "r zero"), (Dropout(), "r"),
        (Dropout(), "r half"),
    ],
    ids=str,
)  # fmt: skip
def test_identities(op: Op, read: str) -> None:
    graph = network([("r", Relu(), "x"), ("a", op, read), ("y", Sigmoid(), "a")], CONSTANTS)
    after = applied(drop_identity, graph, EXACT)
    assert nodes(after) == ["r = Relu(x)", "y = Sigmoid(r)"]
    assert [(a.node, a.what) for a in after.report] == [("a", "removed")]


@pytest.mark.parametrize(
    "op, read", [(Transpose((0, 1, 3, 2)), "x"), (Transpose(), "x"), (Mul(), "x ones"), (Add(), "x one")], ids=str
)
def test_what_is_no_identity(op: Op, read: str) -> None:
    graph = network([("y", op, read)], CONSTANTS)
    assert drop_identity(graph) is graph


@pytest.mark.parametrize(
    "lines, outputs, expected",
    [
        ([("a", Relu(), "x"), ("y", Identity(), "a")], "y", ["y = Relu(x)"]),
        ([("a", Relu(), "x"), ("b", Identity(), "a"), ("y", Identity(), "b")], "y", ["y = Relu(x)"]),
        (
            [("a", Relu(), "x"), ("b", Sigmoid(), "a"), ("y", Identity(), "a"), ("c", Relu(), "a"), ("d", Relu(), "y")],
            "y b c d",
            ["y = Relu(x)", "b = Sigmoid(y)", "c = Relu(y)", "d = Relu(y)"],
        ),
        ([("y", Identity(), "x")], "y", ["y = Identity(x)"]),
        ([("y", Identity(), "one")], "y", ["y = Identity(one)"]),
        ([("a", Relu(), "x"), ("y", Identity(), "a")], "y a", ["a = Relu(x)", "y = Identity(a)"]),
        (
            [("a", Relu(), "x"), ("y", Identity(), "a"), ("z", Identity(), "a")],
            "y z",
            ["y = Relu(x)", "z = Identity(y)"],
        ),
        ([("a", Identity(), "x"), ("y", Identity(), "a")], "y", ["y = Identity(x)"]),
    ],
)
def test_outputs_keep_their_names(lines: list[Line], outputs: str, expected: list[str]) -> None:
    assert nodes(applied(drop_identity, network(lines, CONSTANTS, outputs=outputs), EXACT)) == expected


def test_a_chain_is_dropped_in_linear_time() -> None:
    lines: list[Line] = [("v0", Relu(), "x"), *((f"v{i + 1}", Identity(), f"v{i}") for i in range(20_000))]
    assert nodes(drop_identity(network(lines, outputs="v20000"))) == ["v20000 = Relu(x)"]


@pytest.mark.parametrize(
    "op, read",
    [
        (Pad(), "r p0"), (Slice(), "r start end axes"), (Resize(), "r - unit"),
        (Resize("linear", "asymmetric"), "r - unit"),
        (Expand(), "r same"), (Tile(), "r by1"), (Cast(1), "r"), (Split(1, 1), "r"), (DepthToSpace(1), "r"),
        (MaxPool((1, 1)), "r"),
    ],
    ids=str,
)  # fmt: skip
def test_noops(op: Op, read: str) -> None:
    graph = bound(network([("r", Relu(), "x"), ("a", op, read), ("y", Sigmoid(), "a")], CONSTANTS))
    assert nodes(applied(drop_noops, graph, EXACT)) == ["r = Relu(x)", "y = Sigmoid(r)"]


@pytest.mark.parametrize(
    "op, read",
    [
        (Pad(), "x shifted"), (Slice(), "x back far last back"), (Resize(), "x - grow"), (Cast(11), "x"),
        (MaxPool((1, 1), (2, 2)), "x"), (GlobalMaxPool(), "x"),
    ],
    ids=str,
)  # fmt: skip
def test_what_only_keeps_the_shape(op: Op, read: str) -> None:
    graph = bound(network([("y", op, read)], CONSTANTS))
    assert drop_noops(graph) is graph


def test_a_pool_of_maps_of_one_element() -> None:
    graph = bound(network([("a", GlobalMaxPool(), "x"), ("y", Relu(), "a")], inputs={"x": ("N", 3, 1, 1)}))
    assert kinds(applied(drop_noops, graph, EXACT)) == ["Relu"]
