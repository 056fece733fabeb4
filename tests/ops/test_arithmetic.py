"""Operators of several tensors that broadcast."""

import numpy as np
import pytest

from tests.numerics import ROUNDING, assert_close
from tests.ops.oracles import Case, against_oracles, check, draw
from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops import REGISTRY, Activation

SHAPES = [
    ((2, 3, 5, 7), (2, 3, 5, 7)),
    ((2, 3, 5, 7), (3, 1, 1)),
    ((5, 1, 7), (3, 5, 2, 1)),
    ((4,), ()),
    ((0, 3), (1, 3)),
]
INTEGERS = (np.array([7, -7, 7, -7, 2**53 + 1]), np.array([2, 2, -2, -2, 3]))


def op(kind, **fields):
    return REGISTRY[kind](**fields)


def apart(*shape):
    """Numbers away from zero."""
    x = draw(*shape)
    return x + np.where(x < 0, -1, 1).astype(np.float32)


CASES = [
    *(Case(op(kind), (draw(*a), apart(*b)), ROUNDING(1)) for kind in ("Add", "Sub", "Mul", "Div") for a, b in SHAPES),
    *(Case(op(kind), (draw(*a), draw(*b))) for kind in ("Max", "Min") for a, b in SHAPES),
    *(Case(op(kind), INTEGERS) for kind in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Mod")),
    *(Case(op(kind), tuple(x.astype(np.int32) for x in INTEGERS)) for kind in ("Add", "Sub", "Mul", "Div")),
    *(Case(op(kind), (np.array([7, 250], np.uint8), np.array([2, 9], np.uint8))) for kind in ("Div", "Mul", "Add")),
    *(Case(op(kind), (X.astype(np.float16), X.astype(np.float16))) for kind in ("Add", "Mul") for X in [draw(3, 5)]),
    *(
        Case(op(kind), (draw(2, 3, 5), draw(3, 1), draw(5), draw()), ROUNDING(4), "absolute")
        for kind in ("Sum", "Mean", "Max", "Min")
    ),
    *(Case(op(kind), (draw(2, 3),), ROUNDING(1)) for kind in ("Sum", "Mean", "Max", "Min")),
    Case(op("Max"), (np.array([np.nan, 1, 2], np.float32), np.array([0, np.nan, 1], np.float32))),
    Case(op("Pow"), (np.abs(apart(2, 3, 5)), draw(3, 1)), ROUNDING(8)),
    Case(op("Pow"), (draw(2, 3, 5), np.array(2, np.float32)), ROUNDING(4)),
    Case(op("Pow"), (draw(2, 3, 5), np.array(3, np.int64)), ROUNDING(4)),
    Case(op("Pow"), (np.array([3, -3, 5]), np.array([3, 3, 0]))),
    Case(op("Pow"), (np.array([3, -3, 5], np.int32), np.array([3.0, 3, 0.5], np.float32))),
    Case(op("Mod"), (INTEGERS[0].astype(np.int32), INTEGERS[1].astype(np.int32))),
    Case(op("Mod", fmod=1), INTEGERS),
    Case(op("Mod", fmod=1), (draw(4, 5), apart(5)), ROUNDING(16), "peak"),
    *(
        Case(op(kind), (x, y))
        for kind in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
        for x, y in [
            (draw(3, 1, dtype="int64"), draw(4, dtype="int64")),
            (draw(3, 1, dtype="int32").astype(np.float32), draw(4, dtype="int32").astype(np.float32)),
        ]
    ),
    *(Case(op(kind), (draw(3, 1) > 0, draw(4) > 0)) for kind in ("And", "Or", "Xor", "Equal")),
    Case(op("Not"), (draw(3, 4) > 0,)),
    Case(op("Where"), (draw(3, 1) > 0, draw(2, 1, 4), draw(3, 4))),
    Case(op("Where"), (draw(3, 1) > 0, ints := np.arange(4), ints[::-1].copy())),
]


@against_oracles(CASES)
def test_arithmetic(case, oracle):
    check(case, oracle)


@pytest.mark.parametrize("kind", ["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "Pow"])
def test_a_fused_activation_comes_last(kind):
    a, b = np.abs(apart(2, 3)), draw(3)
    (plain,) = op(kind).reference(a, b)
    (y,) = op(kind, activation=Activation("clamp", 0.25, 1)).reference(a, b)
    assert_close(y, np.clip(plain, np.float32(0.25), np.float32(1)), ROUNDING(1))


@pytest.mark.parametrize(
    ("o", "specs", "words"),
    [
        (op("Add"), [TensorSpec.f32(2, 3), TensorSpec.f32(2)], r"\[2, 3\] and \[2\]"),
        (op("Add"), [TensorSpec.f32(2), TensorSpec((2,), np.dtype(np.int64))], "float32, int64"),
        (op("Add"), [TensorSpec((2,), np.dtype(bool))] * 2, "not defined for bool"),
        (op("Add", activation=Activation("tanh")), [TensorSpec((2,), np.dtype(np.int64))] * 2, "activation tanh"),
        (op("Sum"), [], "at least 1"),
        (op("Mod", fmod=2), [TensorSpec.f32(2)] * 2, "fmod"),
        (op("And"), [TensorSpec.f32(2)] * 2, "not defined for float32"),
        (op("Where"), [TensorSpec.f32(2)] * 3, "not defined for float32"),
    ],
)
def test_what_does_not_fit_is_named(o, specs, words):
    with pytest.raises(ShapeError, match=words):
        o.infer(specs, [None] * len(specs))
