"""Reductions, and positions of extremes."""

import numpy as np
import pytest

from tests.numerics import EXACT, ROUNDING
from tests.ops.oracles import Case, against_oracles, check, draw
from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops import REGISTRY

X = draw(2, 3, 5, 7)
FORMS = [((), {}), ((1,), {}), ((-1, 0), {"keepdims": 0}), ((2, 3), {}), ((2, 3), {"keepdims": 0})]


def op(kind, **fields):
    return REGISTRY[kind](**fields)


def axes(*values):
    return (np.array(values, np.int64),) if values else ()


ROUNDED = "ReduceSum ReduceMean ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp".split()
WHOLE = draw(3, 4, 5, dtype="int32", low=-9, high=9)
NOTHING = np.zeros((2, 0, 3), np.float32)
CASES = [
    *(Case(op(kind, **f), (X, *axes(*a)), ROUNDING(16), "absolute") for kind in ROUNDED for a, f in FORMS),
    *(Case(op(kind, **f), (X, *axes(*a))) for kind in ("ReduceMax", "ReduceMin") for a, f in FORMS),
    *(Case(op("ReduceProd", **f), (draw(2, 3, 4, 2), *axes(*a)), ROUNDING(64)) for a, f in FORMS),
    *(Case(op("ReduceLogSum", **f), (np.abs(X), *axes(*a)), ROUNDING(16), "peak") for a, f in FORMS),
    *(
        Case(op(kind, noop_with_empty_axes=1), (X, *empty), ROUNDING(16))
        for kind in ("ReduceSum", "ReduceMean", "ReduceMax")
        for empty in [(), (np.zeros(0, np.int64),)]
    ),
    Case(op("ReduceSum"), (X, np.zeros(0, np.int64)), ROUNDING(16), "absolute"),
    *(
        Case(op(kind), (WHOLE, *axes(1)))
        for kind in "ReduceSum ReduceMean ReduceProd ReduceMax ReduceMin ReduceL1 ReduceSumSquare".split()
    ),
    *(Case(op(kind), (np.array([2**53 + 1, 1]),)) for kind in ("ReduceSum", "ReduceMax", "ReduceProd")),
    *(Case(op(kind), (draw(3, 4) > 0, *axes(1))) for kind in ("ReduceMax", "ReduceMin")),
    *(Case(op(kind), (NOTHING, *axes(1))) for kind in "ReduceSum ReduceProd ReduceMax ReduceMin ReduceL2".split()),
    Case(op("ReduceLogSumExp"), (draw(3, 4, low=500, high=900), *axes(1)), ROUNDING(4)),
    *(
        Case(op(kind, **fields), (x,), EXACT)
        for kind in ("ArgMax", "ArgMin")
        for fields in [{}, {"axis": -1, "keepdims": 0}, {"axis": 2}, {"axis": 1, "select_last_index": 1}]
        for x in [X, draw(2, 5, 7, dtype="int32")]
    ),
]
DOUBTS = {
    "onnxruntime-ReduceMax-float32[2,0,3]": "it does not reduce nothing",
    "onnxruntime-ReduceMin-float32[2,0,3]": "it does not reduce nothing",
    "onnxruntime-ReduceSum-int64[2]": "it adds integers as floats",
    "onnxruntime-ReduceProd-int64[2]": "it multiplies integers as floats",
    "onnxruntime-ReduceLogSumExp-float32[3,4]": "its exponentials overflow",
    "onnx-ReduceSumSquare-int32": "it returns another dtype",
}


@against_oracles(CASES, DOUBTS)
def test_reductions(case, oracle):
    check(case, oracle)


def test_integer_means_are_rounded_toward_zero():
    assert op("ReduceMean").reference(np.array([-3, 0]))[0].tolist() == [-1]


@pytest.mark.parametrize(
    ("o", "inputs", "words"),
    [
        (op("ReduceSum"), (X, *axes(4)), "axis 4"),
        (op("ReduceSum"), (X, *axes(1, -3)), "twice"),
        (op("ReduceSum"), (X, X), "list of integers"),
        (op("ReduceSum"), (X > 0,), "not defined for bool"),
        (op("ReduceL2"), (WHOLE,), "not defined for int32"),
        (op("ArgMax", axis=4), (X,), "axis 4"),
        (op("ArgMax", axis=1), (NOTHING,), "no element"),
    ],
)
def test_what_does_not_fit_is_named(o, inputs, words):
    with pytest.raises(ShapeError, match=words):
        o.infer([TensorSpec.of(x) for x in inputs], inputs)


def test_with_unknown_axes_the_shape_is_unknown():
    specs = [TensorSpec.of(X), TensorSpec((1,), np.dtype(np.int64))]
    assert op("ReduceSum").infer(specs, [None, None]) is None
