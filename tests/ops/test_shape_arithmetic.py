"""Operators that compute shapes and constants."""

import numpy as np
import pytest

from tests.numerics import ROUNDING
from tests.ops.oracles import Case, against_oracles, check, draw
from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops import REGISTRY
from tinycnn.ops.dtypes import DTYPES

X = draw(2, 3, 5, 7)
NUMBERS = {name: k for k, dtype in DTYPES.items() for name in [dtype.name]}


def op(kind, **fields):
    return REGISTRY[kind](**fields)


def ints(*values):
    return np.array(values, np.int64)


RANGES = [
    ("int64", (2, 9, 3)),
    ("int32", (5, -4, -2)),
    ("float32", (0, 1, 0.3)),
    ("int64", (3, 3, 1)),
    ("int64", (3, 1, 1)),
]
CASES = [
    *(
        Case(op("Shape", **ends), (X,))
        for ends in [{}, {"start": 1}, {"end": -1}, {"start": -3, "end": 3}, {"start": 3, "end": 1}, {"start": -9}]
    ),
    Case(op("Shape"), (draw(),)),
    Case(op("Size"), (X,)),
    Case(op("Size"), (draw(0, 3),)),
    Case(op("ConstantOfShape"), (ints(2, 0, 3),)),
    *(
        Case(op("ConstantOfShape", value=value), (ints(2, 3),))
        for value in (np.int64(7), np.float32(-0.5), np.bool_(True))
    ),
    Case(op("ConstantOfShape", value=np.int64(1)), (ints(),)),
    *(
        Case(op("Cast", to=NUMBERS[to]), (x,))
        for x in (X, draw(4, dtype="int64"), draw(4) > 0, draw(5, dtype="float64"))
        for to in ("float32", "int64", "bool", "int32", "float64")
    ),
    Case(op("Cast", to=NUMBERS["float16"]), (np.array([1e9, 0.1, -3], np.float32),)),
    Case(op("CastLike"), (X, ints(1))),
    *(Case(op("Range"), tuple(np.array(v, dtype) for v in limits), ROUNDING(2)) for dtype, limits in RANGES),
    *(Case(op("NonZero"), (x,)) for x in (np.maximum(X, 0), draw(3, 4) > 0, draw(5, dtype="int64", low=-1, high=2))),
]


@against_oracles(CASES)
def test_shape_arithmetic(case, oracle):
    check(case, oracle)


def test_shape_reads_nothing_but_the_shape():
    huge = np.broadcast_to(np.float32(0), (1 << 20, 1 << 20, 3))
    assert op("Shape").reference(huge)[0].tolist() == list(huge.shape)
    assert op("Size").reference(huge)[0] == 3 << 40


def test_the_value_of_a_constant_may_be_an_array_of_one():
    assert op("ConstantOfShape", value=ints(7)) == op("ConstantOfShape", value=np.int64(7))


def test_non_zero_is_unknown_before_it_ran():
    assert op("NonZero").infer([TensorSpec.of(X)], [X]) is None


@pytest.mark.parametrize(
    ("o", "inputs", "words"),
    [
        (op("ConstantOfShape"), (ints(2, -1),), "negative"),
        (op("ConstantOfShape"), (draw(2),), "list of integers"),
        (op("Cast", to=8), (X,), "data type 8"),
        (op("Range"), tuple(map(np.array, (0, 3, 0))), "steps of 0"),
        (op("Range"), tuple(map(np.array, (0.0, np.inf, 1.0))), "no numbers"),
        (op("Range"), (ints(0, 1), np.array(3), np.array(1)), "scalars"),
    ],
)
def test_what_does_not_fit_is_named(o, inputs, words):
    with pytest.raises(ShapeError, match=words):
        o.infer([TensorSpec.of(x) for x in inputs], inputs)


def test_a_constant_is_of_one_element():
    with pytest.raises(ShapeError, match="one element"):
        op("ConstantOfShape", value=ints(1, 2))
