"""Operators that only move elements, bit by bit, in every layout that they are offered in."""

import numpy as np
import pytest

from tests.cases.rearrange import CASES, ints
from tests.kernels.cpu.every import available
from tests.kernels.cpu.harness import choices, execute, request
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY


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
