"""Operators that only move elements, bit by bit, in every layout that they are offered in."""

import numpy as np
import pytest

from tests.kernels.cpu.every import available
from tests.kernels.cpu.harness import choices, execute, request
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY

I64 = np.int64


def ints(*values):
    return np.array(values, I64)


CASES = [
    ("Transpose", {"perm": (0, 2, 3, 1)}, [(2, 17, 5, 7)], [], 1),
    ("Transpose", {"perm": (0, 3, 1, 2)}, [(1, 19, 33, 3)], [], 1),
    ("Transpose", {"perm": (0, 1, 3, 2)}, [(2, 5, 6, 9)], [], 2),
    ("Transpose", {"perm": (0, 2, 1)}, [(1, 1, 13)], [], 1),
    ("Slice", {}, [(2, 9, 8, 11)], [ints(1, 2), ints(8, 100), ints(2, 3), ints(2, 3)], 2),
    ("Slice", {}, [(2, 9, 8, 11)], [ints(-1, 3), ints(-100, 30), ints(3, 1), ints(-2, 1)], 1),
    ("Slice", {}, [(1, 70, 3, 4)], [ints(18), ints(61), ints(1)], 2),
    ("Slice", {}, [(1, 70, 3, 4)], [ints(0), ints(70), ints(1), ints(3)], 2),
    ("Slice", {}, [(7,)], [ints(5), ints(1), ints(0), ints(-1)], 1),
    ("Split", {"axis": 1}, [(2, 45, 3, 5)], [ints(16, 7, 22)], 2),
    ("Split", {"axis": 1, "num_outputs": 2}, [(1, 32, 4, 5)], [None], 2),
    ("Split", {"axis": -1, "num_outputs": 3}, [(2, 5, 3, 8)], [None], 2),
    ("Concat", {"axis": 1}, [(1, 16, 3, 5), (1, 32, 3, 5), (1, 5, 3, 5)], None, 2),
    ("Concat", {"axis": 1}, [(2, 7, 3, 5), (2, 58, 3, 5), (2, 20, 3, 5), (2, 3, 3, 5)], None, 2),
    ("Concat", {"axis": 1}, [(1, 40, 37), (1, 9, 37)], None, 2),
    ("Concat", {"axis": 2}, [(1, 3, 2, 5), (1, 3, 7, 5)], None, 2),
    ("Concat", {"axis": 0}, [(1, 3, 2, 5), (3, 3, 2, 5)], None, 2),
    ("Pad", {}, [(1, 5, 6, 7)], [ints(0, 0, 1, 2, 0, 0, 3, 0), np.float32(-0.5)], 2),
    ("Pad", {}, [(1, 5, 6, 7)], [ints(0, 2, 1, 0, 0, 1, -2, 4)], 1),
    ("Pad", {"mode": "reflect"}, [(2, 5, 6, 7)], [ints(2, 3, 1, 4), None, ints(2, 3)], 2),
    ("Pad", {"mode": "edge"}, [(2, 5, 6, 7)], [ints(0, 2, 1, 3, 0, 1, 2, 0)], 1),
    ("Pad", {"mode": "wrap"}, [(2, 5, 6, 7)], [ints(0, 0, 1, 3, 0, 0, 2, 7)], 2),
    ("Expand", {}, [(3, 1, 5)], [ints(2, 3, 4, 5)], 1),
    ("Expand", {}, [(1, 19, 1, 1)], [ints(2, 19, 4, 5)], 2),
    ("Tile", {}, [(2, 3, 5)], [ints(2, 1, 3)], 1),
    ("Gather", {"axis": 1}, [(2, 33, 3, 4)], [ints(5, 6, 7, 30, -1, 0, 0)], 2),
    ("Gather", {"axis": 2}, [(2, 19, 6, 4)], [ints(0, 2, 4)], 2),
    ("Gather", {"axis": 0}, [(5, 3)], [np.array(-2)], 1),
    ("Gather", {"axis": 1}, [(3, 7, 2)], [ints(1, 0, 3, 6).reshape(2, 2)], 1),
    ("DepthToSpace", {"blocksize": 3}, [(2, 18, 5, 7)], [], 1),
    ("DepthToSpace", {"blocksize": 2, "mode": "CRD"}, [(1, 12, 5, 17)], [], 1),
    ("SpaceToDepth", {"blocksize": 2}, [(2, 3, 6, 10)], [], 1),
    ("SpaceToDepth", {"blocksize": 3, "mode": "CRD"}, [(1, 5, 6, 9)], [], 1),
    ("ChannelShuffle", {"group": 2}, [(2, 116, 3, 5)], [], 2),
    ("ChannelShuffle", {"group": 2}, [(1, 48, 17, 19)], [], 2),
    ("ChannelShuffle", {"group": 3}, [(1, 60, 3, 5)], [], 2),
    ("ChannelShuffle", {"group": 2}, [(3, 6)], [], 1),
    ("Identity", {}, [(2, 3, 4, 5)], [], 2),
    ("Reshape", {}, [(2, 3, 4, 5)], [ints(0, -1)], 1),
    ("Reshape", {}, [(2, 3, 4, 5)], [ints(2, 3, 4, 5)], 2),
    ("Flatten", {}, [(2, 64, 1, 1)], [], 2),
    ("Flatten", {}, [(2, 65, 1, 1)], [], 1),
    ("Unsqueeze", {}, [(2, 64)], [ints(2, 3)], 2),
    ("Squeeze", {}, [(2, 5, 1, 1)], [ints(2, 3)], 1),
]


def prepare(kind, attributes, shapes, parameters, name, dtype=np.float32):
    target = available(name)
    r = np.random.default_rng(0)
    arrays = [r.standard_normal(shape).astype(dtype) for shape in shapes]
    arrays[0].flat[:1] = -0.0
    constants = range(1, 1 + len(parameters or ()))
    arrays += [p if p is None else np.asarray(p) for p in parameters or ()]
    return request(REGISTRY[kind](**attributes), arrays, constants, "plain", target, 1), arrays


def check(r, arrays, choice):
    wanted = r.op.reference(*arrays)
    for threads in (1, 2, 3):
        for y, z in zip(execute(r, choice, arrays, threads), wanted, strict=True):
            assert y.dtype == z.dtype and y.shape == z.shape
            assert y.tobytes() == z.tobytes()


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("kind, attributes, shapes, parameters, offers", CASES, ids=lambda v: str(v)[:40])
def test_moves(kind, attributes, shapes, parameters, offers, name):
    r, arrays = prepare(kind, attributes, shapes, parameters, name)
    offered = choices(r)
    assert len(offered) == offers
    for choice in offered:
        assert choice.time_s >= 0
        check(r, arrays, choice)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float64])
@pytest.mark.parametrize(
    "case", [c for c in CASES if c[0] in ("Transpose", "Slice", "Concat", "Pad", "Tile", "Gather")], ids=str
)
def test_plain_moves_of_other_dtypes(case, dtype):
    kind, attributes, shapes, parameters, _ = case
    parameters = [p.astype(dtype) if isinstance(p, np.float32) else p for p in parameters or ()]
    r, arrays = prepare(kind, attributes, shapes, parameters, "portable", dtype)
    [choice] = choices(r)
    check(r, arrays, choice)


@pytest.mark.parametrize(
    "kind, attributes, shapes, parameters, dtype",
    [
        ("Transpose", {}, [(2, 3)], [], np.int8),
        ("Pad", {"mode": "reflect"}, [(2, 5)], [ints(0, 7, 0, 0)], np.float32),
        ("Concat", {"axis": 1}, [(2, 0, 3), (2, 4, 3)], None, np.float32),
    ],
)
def test_left_to_the_reference(kind, attributes, shapes, parameters, dtype):
    r, _ = prepare(kind, attributes, shapes, parameters, "portable", dtype)
    assert not choices(r)


def test_an_input_that_is_in_its_place_is_not_copied():
    x = [np.ones((1, 16, 2, 3), np.float32), np.ones((1, 3, 2, 3), np.float32)]
    r = request(REGISTRY["Concat"](axis=1), x, (), "plain", isa.ISAS["portable"], 1)
    assert [list(c.parts) for c in choices(r)] == [[0, 16 * 6 * 4]] * 2
    r = request(REGISTRY["Concat"](axis=1), x[::-1], (), "plain", isa.ISAS["portable"], 1)
    assert {c.output: c.parts for c in choices(r)} == {"plain": [0, 3 * 6 * 4], "blocked": None}


def test_a_transpose_of_single_elements_is_a_view():
    x = np.ones((2, 5, 1, 1), np.float32)
    r = request(REGISTRY["Transpose"](perm=(0, 2, 3, 1)), [x], (), "plain", isa.ISAS["portable"], 1)
    assert [c.view for c in choices(r)] == [0]
