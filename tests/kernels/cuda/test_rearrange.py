"""Operators that only move elements on CUDA kernels, bit by bit."""

from typing import Any

import numpy as np
import pytest

from tests.cases.rearrange import CASES, ints
from tests.kernels.cuda.harness import Case, algorithms, case, device, everywhere, plan, run
from tests.kernels.cuda.touched import check_ranges
from tinycnn.ops import REGISTRY

MORE = [
    ("Concat", {"axis": -1}, [(5, 3, 4), (5, 3, 8), (5, 3, 4)], None),
    ("Concat", {"axis": 2}, [(2, 3, k, 2) for k in (1, 3, 2, 1, 1, 4, 1, 2, 3)], None),
    ("Gather", {"axis": 1}, [(2, 80, 4)], [np.arange(80).reshape(2, 40).T.reshape(-1) ** 2 % 80]),
    ("Gather", {"axis": -2}, [(3, 5, 3)], [ints(4, 1, -5, 3)]),
    ("Transpose", {"perm": (2, 1, 0)}, [(33, 3, 35)], []),
]
ALL = [*(c[:4] for c in CASES), *MORE]


def prepared(kind: str, attributes: Any, shapes: Any, parameters: Any, dtype: Any = np.float32) -> tuple[Case, Any]:
    """The case, and its results."""
    r = np.random.default_rng(0)
    arrays = [r.standard_normal(shape).astype(dtype) for shape in shapes]
    arrays[0].flat[:1] = -0.0
    constants = range(1, 1 + len(parameters or ()))
    arrays += [p if p is None else np.asarray(p) for p in parameters or ()]
    op = REGISTRY[kind](**attributes)
    return case(op, arrays, constants), op.reference(*arrays)


def check(c: Case, wanted: Any, place: str) -> None:
    for algorithm in algorithms(c, device(place)):
        for y, z in zip(run(c, place, algorithm), wanted, strict=True):
            assert (y.dtype, y.shape) == (z.dtype, z.shape)
            assert y.tobytes() == z.tobytes()


@everywhere
@pytest.mark.parametrize("kind, attributes, shapes, parameters", ALL, ids=lambda v: str(v)[:40])
def test_moves(kind: str, attributes: Any, shapes: Any, parameters: Any, place: str) -> None:
    c, wanted = prepared(kind, attributes, shapes, parameters)
    assert algorithms(c, device(place))
    check(c, wanted, place)


@everywhere
@pytest.mark.parametrize("dtype", [np.int64, np.int32])
@pytest.mark.parametrize("kind", ["Transpose", "Slice", "Concat", "Pad", "Tile", "Gather"])
def test_moves_of_other_dtypes(kind: str, dtype: Any, place: str) -> None:
    for _, attributes, shapes, parameters in [c for c in ALL if c[0] == kind][:2]:
        given = [p.astype(dtype) if isinstance(p, np.float32) else p for p in parameters or ()]
        c, wanted = prepared(kind, attributes, shapes, given, dtype)
        assert algorithms(c, device(place))
        check(c, wanted, place)


@pytest.mark.parametrize("dtype", [np.int8, np.float16, np.bool_, np.int64])
def test_views_of_any_dtype(dtype: Any) -> None:
    for kind, parameters in (("Identity", []), ("Flatten", []), ("Reshape", [ints(3, -1)]), ("Unsqueeze", [ints(0)])):
        c, _ = prepared(kind, {}, [(2, 3, 5)], parameters, dtype)
        assert algorithms(c, device("simulator")) == ["view"] and not plan(c).rows


@pytest.mark.parametrize(
    "kind, attributes, shapes, parameters, dtype",
    [
        ("Transpose", {}, [(2, 3)], [], np.int8),
        ("Pad", {"mode": "reflect"}, [(2, 5)], [ints(0, 7, 0, 0)], np.float32),
        ("Concat", {"axis": 1}, [(2, 0, 3), (2, 4, 3)], None, np.float32),
    ],
)
def test_left_to_the_reference(kind: str, attributes: Any, shapes: Any, parameters: Any, dtype: Any) -> None:
    c, _ = prepared(kind, attributes, shapes, parameters, dtype)
    assert not algorithms(c, device("simulator"))


TOUCHED = [
    ("Transpose", {"perm": (0, 2, 1)}, [(1, 9, 8)], []),
    ("Slice", {}, [(2, 5, 6)], [ints(-1, 3), ints(-100, 30), ints(1, 2), ints(-2, 1)]),
    ("Concat", {"axis": 1}, [(2, 3, 4), (2, 2, 4)], None),
    ("Concat", {"axis": 1}, [(2, 3, 3), (2, 2, 3)], None),
    ("Gather", {"axis": 1}, [(2, 5, 6)], [ints(4, 1, 3)]),
    ("Gather", {"axis": 1}, [(2, 5, 3)], [ints(4, 1, 3)]),
]


@pytest.mark.cudasim
@pytest.mark.parametrize("row", TOUCHED, ids=str)
def test_rows_touch_what_they_declare(row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    c, _ = prepared(*row)
    assert sum(check_ranges(plan(c, "simulator", a), monkeypatch) for a in algorithms(c, device("simulator"))) > 5
