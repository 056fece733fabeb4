"""Quantisation there and back."""

import numpy as np
import pytest

from tests.numerics import EXACT, ROUNDING, assert_close
from tests.ops.oracles import Case, against_oracles, check, draw
from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.dequantize_linear import DequantizeLinear
from tinycnn.ops.fake_quantize import FakeQuantize
from tinycnn.ops.quantize_linear import QuantizeLinear

X = draw(2, 3, 5, 4, low=-9, high=9)
HALVES = np.array([-1.5, -0.5, 0.5, 1.5, 2.5, 1e9, -1e9, 0.1], np.float32)
EACH = np.array([0.02, 0.05, 0.1], np.float32)
INT16 = 5  # ONNX data type


def number(value, dtype="float32"):
    return np.array(value, dtype)


GRANULARITIES = [
    ((X, number(0.05)), {}),
    ((X, number(0.05), number(7, "int8")), {}),
    ((X, number(0.05), number(131, "uint8")), {}),
    ((X, number(0.001), number(-300, "int16")), {}),
    ((X, EACH, np.array([1, -2, 3], np.int8)), {"axis": 1}),
    ((X, EACH, np.array([1, 2, 3], np.uint8)), {"axis": -3}),
    ((X, np.abs(draw(2, 3, 3, 4)), draw(2, 3, 3, 4, dtype="int8")), {"axis": 2, "block_size": 2}),
]


def quantized(inputs, fields):
    """The integers with scale and zero point, as DequantizeLinear takes them."""
    (q,) = QuantizeLinear(**fields).reference(*inputs)
    return q, *inputs[1:]


CASES = [
    *(Case(QuantizeLinear(**fields), inputs) for inputs, fields in GRANULARITIES),
    *(Case(DequantizeLinear(**fields), quantized(inputs, fields), ROUNDING(1)) for inputs, fields in GRANULARITIES),
    Case(QuantizeLinear(output_dtype=INT16), (X, number(0.01))),
    Case(QuantizeLinear(), (HALVES, number(1), number(0, "int8"))),
    Case(QuantizeLinear(), (HALVES, number([0.1]), number([3], "uint8"))),
    Case(DequantizeLinear(), (draw(7, dtype="int32", low=-(10**6), high=10**6), number(0.1)), ROUNDING(1)),
]
DOUBTS = {"onnx-QuantizeLinear-float32[8]-float32[1]": "its quotient overflows before it is clipped"}


@against_oracles(CASES, DOUBTS)
def test_quantization(case, oracle):
    check(case, oracle)


@pytest.mark.parametrize(("inputs", "fields"), GRANULARITIES)
def test_fake_quantization_is_there_and_back(inputs, fields):
    limits = np.iinfo(inputs[2].dtype if len(inputs) > 2 else np.uint8)
    op = FakeQuantize(qmin=int(limits.min), qmax=int(limits.max), **fields)
    assert op.infer([TensorSpec.of(x) for x in inputs], [None] * len(inputs)) == (TensorSpec.of(X),)
    (wanted,) = DequantizeLinear(**fields).reference(*quantized(inputs, fields))
    assert_close(op.reference(*inputs)[0], wanted, EXACT)


@pytest.mark.parametrize(
    ("op", "inputs", "words"),
    [
        (QuantizeLinear(), (X, EACH, number(0, "int8")), "differ in shape"),
        (QuantizeLinear(axis=0), (X, EACH), "does not lie over"),
        (QuantizeLinear(axis=4), (X, EACH), "axis 4"),
        (QuantizeLinear(axis=1, block_size=2), (X, EACH), "in blocks of 2"),
        (QuantizeLinear(output_dtype=17), (X, number(1)), "data type 17"),
        (QuantizeLinear(output_dtype=INT16), (X, number(1), number(0, "int8")), "not supported"),
        (QuantizeLinear(precision=10), (X, number(1)), "precision"),
        (DequantizeLinear(), (X, number(1)), "not defined for float32"),
        (DequantizeLinear(), (number(1, "int8"), number(1), number(1, "uint8")), "different dtypes"),
        (FakeQuantize(qmin=5, qmax=5), (X, number(1)), "qmin"),
    ],
)
def test_what_does_not_fit_is_named(op, inputs, words):
    with pytest.raises(ShapeError, match=words):
        op.infer([TensorSpec.of(x) for x in inputs], inputs)
