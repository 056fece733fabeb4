"""Pools over windows, and over everything."""

import pytest

from tests.numerics import ROUNDING
from tests.ops.oracles import Case, against_oracles, check, draw
from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.average_pool import AveragePool
from tinycnn.ops.global_average_pool import GlobalAveragePool
from tinycnn.ops.global_max_pool import GlobalMaxPool
from tinycnn.ops.lp_pool import LpPool
from tinycnn.ops.max_pool import MaxPool

WINDOWS = [
    ((2, 3, 7, 5), {"kernel_shape": (3, 2)}),
    ((1, 5, 8, 11), {"kernel_shape": (3, 3), "strides": (2, 3), "pads": (1, 0, 2, 1)}),
    ((1, 5, 8, 11), {"kernel_shape": (3, 3), "strides": (2, 3), "pads": (1, 0, 2, 1), "ceil_mode": 1}),
    ((2, 3, 6, 5), {"kernel_shape": (3, 2), "strides": (4, 3), "ceil_mode": 1}),
    ((2, 3, 9, 7), {"kernel_shape": (2, 3), "dilations": (3, 2), "pads": (1, 1, 0, 2)}),
    ((2, 3, 9, 7), {"kernel_shape": (2, 3), "dilations": (3, 2), "strides": (2, 3), "ceil_mode": 1}),
    ((1, 1, 1, 1), {"kernel_shape": (1, 1)}),
    ((2, 3, 9, 8), {"kernel_shape": (3, 2), "strides": (2, 3), "auto_pad": "SAME_UPPER"}),
    ((2, 3, 9, 8), {"kernel_shape": (3, 4), "strides": (2, 3), "auto_pad": "SAME_LOWER"}),
    ((2, 3, 13), {"kernel_shape": (4,), "strides": (3,), "pads": (2, 1), "ceil_mode": 1}),
    ((1, 2, 5, 6, 4), {"kernel_shape": (2, 3, 2), "strides": (2, 1, 3), "pads": (1, 0, 1, 0, 2, 1)}),
]
CASES = [
    *(Case(MaxPool(**window), (draw(*x),)) for x, window in WINDOWS),
    *(Case(MaxPool(**window, indices=True), (draw(*x),)) for x, window in WINDOWS),
    *(Case(MaxPool(**window, indices=True, storage_order=1), (draw(*x),)) for x, window in WINDOWS),
    *(Case(AveragePool(**window), (draw(*x),), ROUNDING(4), "absolute") for x, window in WINDOWS),
    *(Case(AveragePool(**window, count_include_pad=1), (draw(*x),), ROUNDING(4), "absolute") for x, window in WINDOWS),
    *(Case(LpPool(**window, p=3), (draw(*x),), ROUNDING(8)) for x, window in WINDOWS),
    Case(MaxPool(kernel_shape=(2, 3), pads=(1, 1, 1, 1)), (draw(2, 3, 5, 4, dtype="int8", low=-100, high=100),)),
    Case(MaxPool(kernel_shape=(2, 3)), (draw(2, 3, 5, 4, dtype="uint8", low=0, high=255),)),
    *(Case(GlobalMaxPool(), (draw(*shape),)) for shape in [(2, 3, 5, 7), (1, 1, 1), (2, 3, 2, 3, 4)]),
    *(
        Case(GlobalAveragePool(), (draw(*shape),), ROUNDING(4), "absolute")
        for shape in [(2, 3, 5, 7), (1, 1, 1), (2, 3, 2, 3, 4)]
    ),
]
CEILED = "it leaves out the part inside of windows that ceil_mode adds"
DOUBTS = {
    "onnx-MaxPool-float32[2,3,7,5]-kernel_shape=(3,2)-indices": "it counts positions wrongly",
    "onnx-MaxPool-float32[2,3,7,5]-kernel_shape=(3,2)-storage_order": "it counts positions wrongly",
    "onnx-MaxPool-float32[2,3,9,8]-kernel_shape=(3,4)": "it finds another shape for SAME_LOWER than for SAME_UPPER",
    "onnx-MaxPool-int8": "it pads integers with NaN",
    "onnx-LpPool-float32[2,3,6,5]": CEILED,
    "onnx-LpPool-float32[2,3,9,7]-kernel_shape=(2,3)-strides=(2,3)": CEILED,
    "onnx-GlobalMaxPool-float32[1,1,1]": "it knows two spatial axes only",
    "onnx-GlobalMaxPool-float32[2,3,2,3,4]": "it knows two spatial axes only",
}


@against_oracles(CASES, DOUBTS)
def test_pools(case, oracle):
    check(case, oracle)


@pytest.mark.parametrize(
    ("op", "shape", "words"),
    [
        (MaxPool(kernel_shape=(3, 3)), (1, 2, 2, 5), "does not fit"),
        (MaxPool(kernel_shape=(3,)), (1, 2, 5, 5), "kernel"),
        (MaxPool(kernel_shape=(2, 2), pads=(2, 2, 2, 2)), (1, 1, 3, 3), "in the padding altogether"),
        (AveragePool(kernel_shape=(2, 2), pads=(2, 2, 2, 2)), (1, 1, 3, 3), "in the padding altogether"),
        (LpPool(kernel_shape=(2, 2), p=0), (1, 1, 3, 3), "p must be"),
        (GlobalMaxPool(), (1, 1, 0, 3), "at least one element"),
        (AveragePool(kernel_shape=(1,)), (5,), "spatial axes"),
    ],
)
def test_what_does_not_fit_is_named(op, shape, words):
    with pytest.raises(ShapeError, match=words):
        op.infer([TensorSpec.f32(*shape)], [None])
