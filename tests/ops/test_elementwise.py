"""Functions of one tensor, their fused form, and integer dtypes."""

import dataclasses

import numpy as np
import pytest

from tests.numerics import EXACT, ROUNDING, assert_close
from tests.ops.oracles import Case, against_oracles, check, draw
from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops import REGISTRY, Activation
from tinycnn.ops.activation import FUNCTIONS, _Elementwise

EDGES = np.array([0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3, -3, 1e-6, -1e-6, 30, -30, 90, -90], np.float32)
WILD = np.array([np.inf, -np.inf, np.nan, 0, -1, 1], np.float32)
POSITIVE = draw(3, 7, 5, low=0.01, high=9)
X = draw(2, 3, 7, 5)


def op(kind, **fields):
    return REGISTRY[kind](**fields)


EXACT_ONES = [op(kind) for kind in ("Relu", "Abs", "Neg", "Sign", "Floor", "Ceil", "Round")]
ROUNDED = [
    op("LeakyRelu"),
    op("LeakyRelu", alpha=0.3),
    op("ThresholdedRelu", alpha=0.7),
    op("Elu", alpha=1.7),
    op("Selu"),
    op("Selu", alpha=1.5, gamma=2.0),
    op("Celu", alpha=0.7),
    op("Sigmoid"),
    op("HardSigmoid"),
    op("HardSigmoid", alpha=0.3, beta=0.4),
    op("HardSwish"),
    op("Mish"),
    op("Tanh"),
    op("Softplus"),
    op("Softsign"),
    op("Exp"),
    op("Erf"),
    op("Gelu"),
    op("Gelu", approximate="tanh"),
    op("Swish"),
    op("Swish", alpha=1.702),
]
BOUNDS = np.float32(-1.5), np.float32(2)
CASES = [
    *(Case(o, (x,)) for o in EXACT_ONES for x in (X, EDGES, WILD)),
    *(Case(o, (x,), ROUNDING(16), "peak") for o in ROUNDED for x in (X, EDGES[:13])),
    *(Case(op(kind), (POSITIVE,), ROUNDING(8)) for kind in ("Log", "Sqrt", "Reciprocal")),
    Case(op("Exp"), (X,), ROUNDING(4)),
    *(Case(op(kind), (draw(5, 3, dtype="int32", low=-9, high=9),)) for kind in ("Relu", "Abs", "Neg", "Sign")),
    *(Case(op(kind), (np.array([2**53 + 1, -(2**53) - 1]),)) for kind in ("Relu", "Abs", "Neg", "Sign")),
    *(Case(op(kind), (X.astype(np.float16),), ROUNDING(4)) for kind in ("Relu", "Sigmoid", "Tanh", "Exp")),
    Case(op("Clip"), (X,)),
    Case(op("Clip"), (X, np.array(BOUNDS[0]))),
    Case(op("Clip"), (X, None, np.array(BOUNDS[1]))),
    Case(op("Clip"), (X, *map(np.array, BOUNDS))),
    Case(op("Clip"), (X, *map(np.array, reversed(BOUNDS)))),
    Case(op("Clip"), (draw(5, 3, dtype="int32", low=-9, high=9), np.array(-2, np.int32), np.array(5, np.int32))),
    Case(op("PRelu"), (X, draw(3, 1, 1)), ROUNDING(1)),
    Case(op("PRelu"), (X, draw(1)), ROUNDING(1)),
    Case(op("PRelu"), (X, draw(2, 3, 7, 5)), ROUNDING(1)),
    Case(op("PRelu"), (draw(5, 3, dtype="int32", low=-9, high=9), np.array([3], np.int32))),
]


@against_oracles(CASES)
def test_elementwise(case, oracle):
    check(case, oracle)


def parameters(o):
    """Constant inputs after the first, as small as they can be."""
    return {"Clip": (np.float32(-1), np.float32(2)), "PRelu": (np.array([0.25], np.float32),)}.get(o.kind, ())


@pytest.mark.parametrize("kind", sorted(k for k, c in REGISTRY.items() if issubclass(c, _Elementwise)))
def test_activation_says_what_the_operator_does(kind):
    o = op(kind)
    x = POSITIVE if kind in ("Log", "Sqrt", "Reciprocal") else X
    activation = o.activation(*parameters(o))
    assert activation is not None
    (y,) = o.reference(x, *parameters(o))
    assert_close(activation.apply(x.astype(np.float64)).astype(np.float32), y, ROUNDING(1))


def test_every_function_keeps_nan():
    for name in FUNCTIONS:
        assert np.isnan(Activation(name, 0.5, 0.5).apply(np.array([np.nan]))).all(), name


def test_large_arguments_do_not_overflow():
    x = np.array([-1e4, 1e4])
    for name, wanted in {"sigmoid": [0, 1], "softplus": [0, 1e4], "mish": [0, 1e4], "swish": [0, 1e4], "elu": [-1, 1e4],
                         "tanh": [-1, 1], "gelu": [0, 1e4]}.items():  # fmt: skip
        assert_close(Activation(name, 1, 1).apply(x), np.array(wanted, float), EXACT)


@pytest.mark.parametrize(
    ("o", "specs", "words"),
    [
        (op("Exp"), [TensorSpec((2,), np.dtype(np.int64))], "not defined for int64"),
        (op("Neg"), [TensorSpec((2,), np.dtype(np.uint8))], "not defined for uint8"),
        (op("Relu"), [None], "absent"),
        (op("Relu"), [], "1 inputs"),
        (op("Relu"), [TensorSpec.f32("n", 3)], "must be known"),
        (op("Gelu", approximate="sin"), [TensorSpec.f32(3)], "approximate"),
        (op("Clip"), [TensorSpec.f32(3), TensorSpec.f32(2)], "min is"),
        (op("Clip"), [TensorSpec.f32(3), TensorSpec((), np.dtype(np.int64))], "different dtypes"),
        (op("PRelu"), [TensorSpec.f32(2, 3, 4), TensorSpec.f32(3)], "does not broadcast"),
        (op("PRelu"), [TensorSpec.f32(3), TensorSpec.f32(2, 3)], "does not broadcast"),
    ],
)
def test_what_does_not_fit_is_named(o, specs, words):
    with pytest.raises(ShapeError, match=words):
        o.infer(specs, [None] * len(specs))


def test_operators_are_hashable_values():
    for cls in REGISTRY.values():
        if not cls.__module__.startswith("tinycnn.ops."):
            continue
        assert hash(cls()) == hash(dataclasses.replace(cls()))
