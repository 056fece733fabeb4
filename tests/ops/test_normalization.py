"""Normalisations and softmax."""

import numpy as np
import pytest

from tests.numerics import ROUNDING, assert_close
from tests.ops.oracles import Case, against_oracles, check, draw
from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops import Activation
from tinycnn.ops.batch_normalization import BatchNormalization
from tinycnn.ops.group_normalization import GroupNormalization
from tinycnn.ops.instance_normalization import InstanceNormalization
from tinycnn.ops.layer_normalization import LayerNormalization
from tinycnn.ops.log_softmax import LogSoftmax
from tinycnn.ops.lrn import LRN
from tinycnn.ops.scale_shift import ScaleShift
from tinycnn.ops.softmax import Softmax


def statistics(c):
    return draw(c), draw(c, low=-1), draw(c, low=-2), np.abs(draw(c)) + np.float32(0.1)


CASES = [
    *(
        Case(BatchNormalization(epsilon=1e-3), (draw(*shape), *statistics(shape[1])), ROUNDING(16), "peak")
        for shape in [(2, 3, 5, 7), (4, 3), (2, 5, 7), (1, 1, 1, 1), (2, 3, 2, 3, 4)]
    ),
    *(
        Case(InstanceNormalization(), (draw(*shape), draw(shape[1]), draw(shape[1])), ROUNDING(16), "peak")
        for shape in [(2, 3, 5, 7), (2, 5, 7), (2, 3, 2, 3, 4)]
    ),
    *(
        Case(GroupNormalization(num_groups=g), (draw(*shape), draw(shape[1]), draw(shape[1])), ROUNDING(16), "peak")
        for shape, g in [((2, 6, 5, 7), 3), ((2, 6, 7), 1), ((1, 5, 3, 2), 5)]
    ),
    Case(LayerNormalization(), (draw(2, 3, 7), draw(7), draw(7)), ROUNDING(16), "peak"),
    Case(LayerNormalization(axis=1, epsilon=0.1), (draw(2, 3, 7), draw(3, 7)), ROUNDING(16), "peak"),
    Case(LayerNormalization(axis=-2), (draw(2, 5, 3, 7), draw(3, 7), draw(3, 7)), ROUNDING(16), "peak"),
    *(
        Case(LRN(size=size, alpha=0.3, beta=0.6, bias=1.5), (draw(*shape),), ROUNDING(16))
        for size, shape in [(3, (2, 7, 5, 3)), (1, (2, 3, 4, 5)), (4, (1, 7, 2, 3)), (9, (2, 5, 3, 1))]
    ),
    *(
        Case(op(axis=axis), (draw(*shape),), ROUNDING(16), "peak")
        for op in (Softmax, LogSoftmax)
        for axis, shape in [(-1, (3, 7)), (1, (2, 5, 3, 4)), (0, (5,)), (-2, (3, 4, 5)), (2, (2, 3, 1))]
    ),
    *(Case(op(), (draw(2, 9, low=500, high=900),), ROUNDING(16), "peak") for op in (Softmax, LogSoftmax)),
]

DOUBTS = {
    "onnx-LRN": "it normalises as many channels as there are samples",
    "onnxruntime-LRN-float32[1,7,2,3]-size=4": "it knows odd sizes only",
    "onnx-LogSoftmax-float32[2,9]": "it takes the logarithm of a softmax that is 0",
}


@against_oracles(CASES, DOUBTS)
def test_normalizations(case, oracle):
    check(case, oracle)


def test_batch_normalization_of_one_axis_has_one_channel():
    x, one = draw(5), np.ones(1, np.float32)
    assert BatchNormalization().infer([TensorSpec.of(x)] + [TensorSpec.f32(1)] * 4, [None] * 5) == (TensorSpec.of(x),)
    assert_close(BatchNormalization(epsilon=0.0).reference(x, one, one * 0, one * 0, one)[0], x, ROUNDING(1))


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (4, 3), (2, 3, 4)])
def test_scale_shift(shape):
    x, scale, shift = draw(*shape), draw(shape[1]), draw(shape[1])
    channel = (-1, *[1] * (len(shape) - 2))
    (y,) = ScaleShift(activation=Activation("clamp", 0, np.inf)).reference(x, scale, shift)
    wanted = np.maximum(x.astype(float) * scale.reshape(channel) + shift.reshape(channel), 0)
    assert_close(y, wanted.astype(np.float32), ROUNDING(1))
    assert ScaleShift().infer([TensorSpec.of(a) for a in (x, scale, shift)], [None] * 3) == (TensorSpec.of(x),)


@pytest.mark.parametrize(
    ("op", "shapes", "words"),
    [
        (BatchNormalization(), [(2, 3, 4), (3,), (3,), (4,), (3,)], "mean is"),
        (BatchNormalization(training_mode=1), [(2, 3, 4), (3,), (3,), (3,), (3,)], "training_mode"),
        (InstanceNormalization(), [(2, 3), (3,), (3,)], r"\[n, c, ...\]"),
        (InstanceNormalization(), [(2, 3, 4), (4,), (3,)], "scale is"),
        (GroupNormalization(num_groups=2), [(2, 3, 4), (3,), (3,)], "2 groups"),
        (LayerNormalization(axis=3), [(2, 3, 4), (4,)], "axis 3"),
        (LayerNormalization(), [(2, 3, 4), (3,)], "does not broadcast"),
        (LRN(size=0), [(2, 3, 4)], "size"),
        (Softmax(axis=2), [(2, 3)], "axis 2"),
        (ScaleShift(), [(2, 3, 4), (4,), (3,)], "scale is"),
    ],
)
def test_what_does_not_fit_is_named(op, shapes, words):
    with pytest.raises(ShapeError, match=words):
        op.infer([TensorSpec.f32(*shape) for shape in shapes], [None] * len(shapes))
