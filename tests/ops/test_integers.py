"""IntegerConv is QLinearConv less the zero points; IntegerGemm the same of matrices."""

import numpy as np
import onnxruntime
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation
from tinycnn.ops.integer_conv import IntegerConv
from tinycnn.ops.integer_gemm import IntegerGemm

RANDOM = np.random.default_rng(5)
OPSET, IR_VERSION = 21, 10


def by_onnx(model, feeds):
    return ReferenceEvaluator(model).run(None, feeds)[0]


def by_onnxruntime(model, feeds):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0]


def qlinear_conv(oracle, x, x_zero, w, b, scales, y_zero, **attributes):
    """Scales, those of x, w and y, are powers of two, so that all is exact."""
    names = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"]
    values = [x, scales[0], x_zero, w, scales[1], np.int8(0), scales[2], y_zero, b]
    feeds = {name: np.asarray(value) for name, value in zip(names, values, strict=True)}
    node = helper.make_node("QLinearConv", names, ["y"], **attributes)
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in feeds.items()
    ]
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("y", kind, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return oracle(model, feeds)


# The evaluator of onnx rounds what the zero point is added to already: halves come out alike where that is even.
@pytest.mark.parametrize("oracle, odd", [(by_onnx, 0), (by_onnxruntime, 1)], ids=["onnx", "onnxruntime"])
@pytest.mark.parametrize("kind, zero, y_zero", [("uint8", 131, 6), ("int8", -5, -28), ("uint8", 0, 254)])
@pytest.mark.parametrize(
    "attributes",
    [{}, {"strides": (2, 1), "pads": (1, 0, 2, 1), "dilations": (1, 2)}, {"group": 3}],
    ids=["plain", "strided, padded, dilated", "groups"],
)
def test_against_the_oracles(attributes, kind, zero, y_zero, oracle, odd):
    info = np.iinfo(kind)
    x = RANDOM.integers(info.min, info.max + 1, (2, 6, 7, 9), kind)
    w = RANDOM.integers(-128, 128, (9, 6 // attributes.get("group", 1), 3, 2), np.int8)
    b = RANDOM.integers(-9999, 9999, 9, np.int32)
    y_zero = np.array(y_zero + odd, kind)
    scales = [np.float32(2.0**e) for e in (-5, -7, -2)]
    wanted = qlinear_conv(oracle, x, np.array(zero, kind), w, b, scales, y_zero, **attributes)
    lo, hi = float(info.min - int(y_zero)), float(info.max - int(y_zero))
    op = IntegerConv(**attributes, activation=Activation("quantize", lo, hi), low=int(info.min) - zero)
    floats = [a.astype(np.float32) for a in (x.astype(np.int64) - zero, w, b)]
    [y] = op.reference(*floats, np.float32(2.0**-10))
    np.testing.assert_array_equal(y + y_zero, wanted)
    assert len(np.unique(wanted)) > 20


@pytest.mark.parametrize("transposed", [0, 1])
def test_a_product_of_matrices_is_a_convolution_of_pixels(transposed):
    a, b = (
        RANDOM.integers(low, high, shape).astype(np.float32)
        for low, high, shape in [(-9, 247, (3, 13)), (-128, 128, (13, 7))]
    )
    c, factor = RANDOM.integers(-999, 999, 7).astype(np.float32), RANDOM.uniform(0.001, 0.01, 7).astype(np.float32)
    fields = {"activation": Activation("quantize", -100, 100), "low": -9, "scale": 0.3}
    [wanted] = IntegerConv(**fields).reference(a[:, :, None, None], b.T[:, :, None, None], c, factor)
    [y] = IntegerGemm(transB=transposed, **fields).reference(a, b.T if transposed else b, c, factor)
    np.testing.assert_array_equal(y, wanted[:, :, 0, 0])


def test_refusals_of_matrices():
    a, b, one = TensorSpec.f32(2, 3), TensorSpec.f32(3, 5), TensorSpec.f32()
    quantize = Activation("quantize", -128, 127)
    assert IntegerGemm(activation=quantize).infer([a, b, None, one], [None] * 4) == (TensorSpec.f32(2, 5),)
    with pytest.raises(ShapeError, match="c is float32"):
        IntegerGemm(activation=quantize).infer([a, b, TensorSpec.f32(2, 1), one], [None] * 4)
    for op, factor, what in [
        (IntegerGemm(), one, "activation is None"),
        (IntegerGemm(alpha=2, activation=quantize), one, "must be 1"),
        (IntegerGemm(activation=quantize), None, "factor is None"),
        (IntegerGemm(activation=quantize), TensorSpec.f32(4), "factor is float32"),
    ]:
        with pytest.raises(ShapeError, match=what):
            op.infer([a, b, None, factor], [None] * 4)


def test_refusals():
    x, w, one = TensorSpec.f32(1, 3, 4, 4), TensorSpec.f32(5, 3, 1, 1), TensorSpec.f32()
    quantize = Activation("quantize", -128, 127)
    assert IntegerConv(activation=quantize).infer([x, w, None, one], [None] * 4) == (TensorSpec.f32(1, 5, 4, 4),)
    for op, factor, what in [
        (IntegerConv(), one, "activation is None"),
        (IntegerConv(activation=Activation("clamp", 0, 1)), one, "not quantize"),
        (IntegerConv(activation=quantize), None, "factor is None"),
        (IntegerConv(activation=quantize), TensorSpec.f32(4, 1, 1), "factor is float32"),
    ]:
        with pytest.raises(ShapeError, match=what):
            op.infer([x, w, None, factor], [None] * 4)
