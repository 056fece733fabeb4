"""Conv and ConvTranspose."""

import numpy as np
import pytest

from tests.numerics import EXACT, ROUNDING, assert_close
from tests.ops.oracles import Case, against_oracles, check, draw
from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation
from tinycnn.ops.conv import Conv
from tinycnn.ops.conv_transpose import ConvTranspose

CONVS = [
    (Conv(), (1, 1, 1, 1), (1, 1, 1, 1), False),
    (Conv(), (2, 3, 7, 5), (5, 3, 1, 1), True),
    (Conv(strides=(2, 1), pads=(1, 0, 2, 1), dilations=(1, 2), group=3), (2, 6, 9, 7), (9, 2, 3, 2), True),
    (Conv(strides=(3, 2), pads=(2, 1, 0, 3)), (1, 2, 8, 11), (3, 2, 3, 5), False),
    (Conv(pads=(4, 4, 4, 4)), (1, 2, 1, 1), (3, 2, 3, 3), True),
    (Conv(group=7), (3, 7, 5, 4), (14, 1, 2, 3), True),
    (Conv(pads=(1, 2), strides=(2,), dilations=(3,)), (2, 5, 17), (3, 5, 4), True),
    (Conv(strides=(1, 2, 1), pads=(1, 0, 1, 0, 2, 1)), (2, 3, 4, 6, 5), (2, 3, 2, 3, 2), True),
    (Conv(), (0, 3, 4, 4), (2, 3, 3, 3), True),
    *(
        (Conv(auto_pad=auto_pad, strides=(2, 3), dilations=dilations), (2, 3, 9, 8), (5, 3, 3, 2), True)
        for auto_pad in ("SAME_UPPER", "SAME_LOWER")
        for dilations in [(), (2, 3)]
    ),
]
TRANSPOSES = [
    (ConvTranspose(), (1, 1, 1, 1), (1, 1, 1, 1), False),
    (ConvTranspose(strides=(2, 3), pads=(1, 0, 0, 2)), (2, 3, 4, 5), (3, 5, 3, 2), True),
    (ConvTranspose(strides=(3, 2), output_padding=(2, 1)), (1, 2, 3, 5), (2, 3, 2, 3), True),
    (ConvTranspose(strides=(2, 2), dilations=(2, 3), pads=(1, 2, 2, 1), group=2), (2, 4, 5, 3), (4, 3, 3, 2), True),
    (ConvTranspose(group=5), (2, 5, 3, 4), (5, 1, 2, 3), False),
    (ConvTranspose(strides=(3,), pads=(1, 0)), (2, 3, 7), (3, 2, 4), True),
    (ConvTranspose(strides=(2, 3), output_shape=(8, 12)), (2, 3, 4, 5), (3, 2, 3, 4), True),
    (ConvTranspose(strides=(2, 3), output_shape=(8, 12), auto_pad="SAME_UPPER"), (2, 3, 4, 5), (3, 2, 3, 4), True),
    (ConvTranspose(strides=(2, 3), auto_pad="SAME_UPPER"), (2, 3, 4, 5), (3, 2, 3, 4), True),
    (ConvTranspose(strides=(2, 2), auto_pad="SAME_LOWER"), (2, 3, 4, 5), (3, 2, 3, 5), True),
    (ConvTranspose(strides=(3, 3), output_shape=(11, 14)), (1, 3, 4, 5), (3, 2, 1, 2), True),
    (ConvTranspose(strides=(2, 1, 2)), (1, 3, 2, 3, 4), (3, 2, 2, 3, 2), True),
]
DOUBTS = {
    "onnx-ConvTranspose-float32[2,4,5,3]": "it does not take samples, groups and dilations together",
    "onnx-ConvTranspose-float32[2,3,4,5]-float32[3,2,3,4]-float32[2]-strides=(2,3)-output_shape": (
        "it does not cut anything off for output_shape without auto_pad"
    ),
    "onnxruntime-Conv-float32[2,3,9,8]-float32[5,3,3,2]-float32[5]-strides=(2,3)-dilations": (
        "it does not take auto_pad and dilations together"
    ),
}


def cases(table, channels):
    for op, x, w, bias in table:
        b = (draw(channels(op, w)),) if bias else ()
        yield Case(op, (draw(*x), draw(*w), *b), ROUNDING(16), "absolute")


@against_oracles([*cases(CONVS, lambda op, w: w[0]), *cases(TRANSPOSES, lambda op, w: w[1] * op.group)], DOUBTS)
def test_convolutions(case, oracle):
    check(case, oracle)


@pytest.mark.parametrize("op", [Conv(pads=(1, 1, 1, 1), activation=Activation("clamp", 0, 6)), Conv(pads=(1, 1, 1, 1))])
def test_residual_is_added_before_the_activation(op):
    x, w, residual = draw(2, 3, 5, 4), draw(7, 3, 3, 3), draw(2, 7, 5, 4)
    (plain,) = Conv(pads=op.pads).reference(x.astype(np.float64), w)
    (y,) = op.reference(x, w, None, residual)
    wanted = plain + residual
    if op.activation:
        wanted = np.clip(wanted, 0, 6)
    assert_close(y, wanted.astype(np.float32), ROUNDING(1))
    specs = [TensorSpec.of(a) if a is not None else None for a in (x, w, None, residual)]
    assert op.infer(specs, [None] * 4) == (TensorSpec.of(y),)


def test_macs_count_every_tap_of_every_output():
    x, w = TensorSpec.f32(2, 6, 9, 7), TensorSpec.f32(9, 2, 3, 2)
    op = Conv(group=3)
    (y,) = op.infer([x, w], [None, None])
    assert op.macs([x, w], [y]) == 2 * 9 * 7 * 6 * 2 * 3 * 2
    transposed = ConvTranspose(group=3)
    w = TensorSpec.f32(6, 3, 3, 2)
    assert transposed.macs([x, w], transposed.infer([x, w], [None, None])) == 2 * 6 * 9 * 7 * 3 * 3 * 2


@pytest.mark.parametrize(
    ("op", "shapes", "words"),
    [
        (Conv(), [(1, 3, 5, 5), (2, 4, 3, 3)], "3 channels"),
        (Conv(group=2), [(1, 4, 5, 5), (3, 2, 3, 3)], "2 groups"),
        (Conv(group=0), [(1, 4, 5, 5), (3, 2, 3, 3)], "0 groups"),
        (Conv(), [(1, 3, 5), (2, 3, 3, 3)], "same rank"),
        (Conv(), [(1, 3, 2, 5), (2, 3, 3, 3)], "does not fit"),
        (Conv(strides=(0, 1)), [(1, 3, 5, 5), (2, 3, 3, 3)], "strides"),
        (Conv(strides=(1,)), [(1, 3, 5, 5), (2, 3, 3, 3)], "strides"),
        (Conv(pads=(-1, 0, 0, 0)), [(1, 3, 5, 5), (2, 3, 3, 3)], "pads"),
        (Conv(), [(1, 3, 5, 5), (2, 3, 3, 3), (3,)], "b is"),
        (Conv(), [(1, 3, 5, 5), (2, 3, 3, 3), (2,), (1, 2, 3, 4)], "residual is"),
        (Conv(), [(1, 3, 5, 5)], "2 to 4 inputs"),
        (ConvTranspose(), [(1, 3, 5, 5), (2, 3, 3, 3)], "3 channels"),
        (ConvTranspose(pads=(9, 9, 9, 9)), [(1, 3, 2, 2), (3, 1, 3, 3)], "spatial size"),
        (ConvTranspose(auto_pad="SAME"), [(1, 3, 2, 2), (3, 1, 3, 3)], "auto_pad"),
        (ConvTranspose(output_shape=(5,)), [(1, 3, 2, 2), (3, 1, 3, 3)], "output_shape"),
        (Conv(auto_pad="SAME"), [(1, 3, 5, 5), (2, 3, 3, 3)], "auto_pad"),
        (Conv(auto_pad="SAME_UPPER", pads=(1, 1, 1, 1)), [(1, 3, 5, 5), (2, 3, 3, 3)], "auto_pad"),
        (ConvTranspose(output_padding=(1,)), [(1, 3, 2, 2), (3, 1, 3, 3)], "output_padding"),
    ],
)
def test_what_does_not_fit_is_named(op, shapes, words):
    with pytest.raises(ShapeError, match=words):
        op.infer([TensorSpec.f32(*shape) for shape in shapes], [None] * len(shapes))


@pytest.mark.parametrize(
    "op",
    [
        Conv(auto_pad="SAME_LOWER", strides=(2, 3), activation=Activation("tanh")),
        ConvTranspose(output_shape=(9, 7), strides=(2, 2)),
        ConvTranspose(output_shape=(19, 17), strides=(2, 2), output_padding=(1, 0)),
    ],
)
def test_a_bound_operator_means_the_same(op):
    x, w = draw(2, 3, 6, 5), draw(3, 3, 3, 2)
    bound = op.bound([TensorSpec.of(x), TensorSpec.of(w)])
    assert bound.auto_pad == "NOTSET" and not getattr(bound, "output_shape", ())
    assert bound.activation == op.activation
    assert_close(bound.reference(x, w)[0], op.reference(x, w)[0], EXACT)
