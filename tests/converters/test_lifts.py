"""Nodes of old opsets, as the newest opset means them, against onnxruntime on the old ones."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.converters.onnx_models import draw, model, run_import, run_onnxruntime
from tests.numerics import EXACT, ROUNDING, Level, assert_close

MANY = ROUNDING(64)


@dataclass(frozen=True)
class Lift:
    """A node of one opset. shapes: of its inputs x0, x1 ...; constants: further inputs by position."""

    kind: str
    opset: int
    shapes: tuple[tuple[int, ...], ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    constants: dict[int, Any] = field(default_factory=dict)
    outputs: int = 1
    level: Level = EXACT
    scale: float | None = None
    dtype: str = "float32"
    element: int = TensorProto.FLOAT
    domain: str = ""

    def __str__(self) -> str:
        attributes = "-".join(f"{k}={v}" for k, v in self.attributes.items())
        return f"{self.domain}{self.kind}-{self.opset}-{attributes}".replace(" ", "")


def int64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


X = (2, 3, 7, 5)
CONV = ((2, 4, 9, 8), (6, 2, 3, 2))
NORM = ((2, 3, 4, 5), (3,), (3,), (3,))
POSITIVE = {4: f32(0.5, 2, 1.25)}

# Element type of later outputs where it is another than that of the first.
SECOND = {"MaxPool": TensorProto.INT64, "TopK": TensorProto.INT64, "Dropout": TensorProto.BOOL}

LIFTS = [
    *(Lift("Clip", 6, (X,), a) for a in ({}, {"min": -0.5}, {"max": 0.25}, {"min": -0.1, "max": 0.7})),
    Lift("Clip", 12, (X,), {}, {1: np.float64(-0.5)}, dtype="float64", element=TensorProto.DOUBLE),
    Lift("Clip", 11, (X,), {}, {1: np.float32(-0.5), 2: np.float32(0.5)}),
    *(
        Lift("Slice", 9, (X,), a)
        for a in (
            {"starts": [1, -3], "ends": [9999, -1], "axes": [1, 3]},
            {"starts": [0, 1], "ends": [1, 3]},
            {"starts": [-2], "ends": [9223372036854775807], "axes": [2]},
        )
    ),
    *(Lift("Pad", 10, (X,), {"pads": [0, 1, 2, 0, 0, 0, 1, 3], **a}) for a in ({}, {"value": 1.5}, {"mode": "edge"})),
    Lift("Pad", 2, (X,), {"pads": [0, 0, 2, 1, 0, 0, 1, 3], "mode": "reflect"}),
    Lift(
        "Pad", 10, (X,), {"pads": [0, 0, -1, 1, 0, 0, 2, -1], "value": 2.0}, dtype="float64", element=TensorProto.DOUBLE
    ),
    *(Lift("Squeeze", v, ((2, 1, 3, 1),), a) for v in (7, 11) for a in ({}, {"axes": [1]}, {"axes": [1, 3]})),
    Lift("Squeeze", 11, ((2, 1, 3, 1),), {"axes": [-1]}),
    *(Lift("Unsqueeze", v, ((2, 3),), {"axes": [0, 3]}) for v in (7, 11)),
    Lift("Unsqueeze", 11, ((2, 3),), {"axes": [-1, 0]}),
    *(
        Lift(kind, opset, (X,), a, level=MANY, scale=40.0)
        for kind in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare")
        for opset in (7, 11)
        for a in ({}, {"axes": [1, 2], "keepdims": 0}, {"axes": [3]})
    ),
    Lift("ReduceMean", 13, (X,), {"axes": [-1, 1]}, level=MANY, scale=3.0),
    Lift("ReduceLogSumExp", 13, (X,), {"axes": [2, 3]}, level=MANY, scale=10.0),
    Lift("ReduceProd", 13, (X,), {"axes": [2]}, level=MANY, scale=40.0),
    Lift("Split", 7, ((2, 6, 3),), {"axis": 1}, outputs=3),
    Lift("Split", 7, ((2, 6, 3),), {"axis": 1, "split": [1, 5]}, outputs=2),
    Lift("Split", 11, ((2, 6, 3),), {"axis": -2, "split": [2, 4]}, outputs=2),
    Lift("Split", 13, ((4, 3),), {}, outputs=2),
    Lift("Split", 13, ((4, 3),), {}, {1: int64(1, 3)}, outputs=2),
    Lift("Split", 18, ((7, 3),), {"num_outputs": 3}, outputs=3),
    Lift("TopK", 7, (X,), {"k": 3, "axis": 2}, outputs=2),
    Lift("TopK", 10, (X,), {"axis": -1}, {1: int64(2)}, outputs=2),
    *(Lift("Upsample", 7, (X,), {"scales": [1.0, 1.0, 2.0, 3.0], **a}) for a in ({}, {"mode": "nearest"})),
    Lift("Upsample", 8, (X,), {"scales": [1.0, 1.0, 2.0, 3.0], "mode": "linear"}, level=MANY, scale=4.0),
    Lift("Upsample", 9, (X,), {"mode": "linear"}, {1: f32(1, 1, 1.5, 2)}, level=MANY, scale=4.0),
    Lift("Upsample", 9, (X,), {"mode": "nearest"}, {1: f32(1, 1, 1.5, 2.5)}),
    Lift("Resize", 10, (X,), {"mode": "nearest"}, {1: f32(1, 1, 2, 0.6)}),
    Lift("Resize", 10, (X,), {"mode": "nearest"}, {1: f32(1, 1, 0.7, 0.6)}),
    Lift("Resize", 10, (X,), {"mode": "nearest"}, {1: f32(1, 1, 1.3, 2.7)}),
    Lift("Resize", 10, (X,), {"mode": "linear"}, {1: f32(1, 1, 1.3, 2)}, level=MANY, scale=4.0),
    Lift("Resize", 11, (X,), {"mode": "linear"}, {1: f32(), 2: f32(1, 1, 2, 2)}, level=MANY, scale=4.0),
    Lift("Resize", 11, (X,), {"mode": "nearest"}, {1: f32(), 2: f32(), 3: int64(2, 3, 9, 11)}),
    *(
        Lift(kind, opset, (X,), a, level=MANY, scale=30.0)
        for kind in ("Softmax", "LogSoftmax")
        for opset in (7, 11)
        for a in ({}, {"axis": 0}, {"axis": 2}, {"axis": 3})
    ),
    Lift("Softmax", 11, (X,), {"axis": -1}, level=MANY, scale=1.0),
    Lift("Softmax", 11, (X,), {"axis": -2}, level=MANY, scale=1.0),
    Lift("Softmax", 13, (X,), {}, level=MANY, scale=1.0),
    Lift("Hardmax", 7, (X,), {"axis": 2}),
    Lift("Hardmax", 13, (X,), {}),
    Lift("BatchNormalization", 7, NORM, {"epsilon": 0.01}, POSITIVE, level=MANY, scale=8.0),
    Lift("BatchNormalization", 8, NORM, {"spatial": 1, "momentum": 0.5}, POSITIVE, level=MANY, scale=8.0),
    Lift("BatchNormalization", 9, NORM, {}, POSITIVE, level=MANY, scale=8.0),
    Lift("BatchNormalization", 14, NORM, {"training_mode": 0}, POSITIVE, level=MANY, scale=8.0),
    Lift("BatchNormalization", 8, ((2, 3, 4), (3, 4), (3, 4), (3, 4)), {"spatial": 0}, {4: np.full((3, 4), 2, "f4")},
         level=MANY, scale=8.0),
    Lift("Gemm", 7, ((3, 4), (5, 4), (5,)), {"transB": 1, "alpha": 0.5, "beta": 2.0}, level=MANY, scale=9.0),
    Lift("Gemm", 11, ((3, 4), (4, 5)), {}, level=MANY, scale=9.0),
    *(
        Lift("Conv", 11, CONV, {"group": 2, "auto_pad": auto_pad, "strides": strides}, level=MANY, scale=30.0)
        for auto_pad in ("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET")
        for strides in ([1, 1], [2, 3])
    ),
    Lift("Conv", 11, CONV, {"group": 2, "kernel_shape": [3, 2], "pads": [0, 1, 2, 1]}, level=MANY, scale=30.0),
    *(
        Lift(kind, 11, (X,), {"kernel_shape": [3, 2], "auto_pad": auto_pad, "strides": strides}, level=MANY, scale=4.0)
        for kind in ("MaxPool", "AveragePool", "LpPool")
        for auto_pad in ("SAME_UPPER", "SAME_LOWER", "VALID")
        for strides in ([1, 1], [2, 2])
    ),
    Lift("MaxPool", 10, (X,), {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
    Lift("MaxPool", 8, (X,), {"kernel_shape": [3, 2], "strides": [2, 2], "storage_order": 0}, outputs=2),
    Lift("MaxPool", 12, (X,), {"kernel_shape": [3, 2], "dilations": [2, 1], "storage_order": 1}, outputs=2),
    Lift("AveragePool", 10, (X,), {"kernel_shape": [2, 3], "pads": [1, 1, 0, 1], "strides": [2, 2], "ceil_mode": 1},
         level=MANY, scale=4.0),
    Lift("AveragePool", 7, (X,), {"kernel_shape": [2, 3], "pads": [1, 1, 0, 1], "count_include_pad": 1}, level=MANY,
         scale=4.0),
    *(
        Lift("ConvTranspose", 11, ((2, 4, 5, 4), (4, 3, 3, 4)), {"strides": [2, 3], **a}, level=MANY, scale=30.0)
        for a in (
            {"auto_pad": "SAME_UPPER"},
            {"auto_pad": "SAME_LOWER"},
            {"auto_pad": "VALID"},
            {"output_shape": [10, 10]},
            {"output_shape": [10, 11], "auto_pad": "SAME_UPPER"},
            {"output_padding": [1, 0], "pads": [1, 0, 0, 1]},
        )
    ),
    Lift("Cast", 9, (X,), {"to": TensorProto.INT32}, element=TensorProto.INT32),
    Lift("Concat", 7, (X, X), {"axis": 1}),
    Lift("Flatten", 7, (X,), {"axis": 2}),
    Lift("Flatten", 11, (X,), {"axis": -1}),
    Lift("Gather", 11, (X,), {"axis": 2}, {1: int64(-1, 0, 3)}),
    Lift("LRN", 7, (X,), {"size": 3, "alpha": 0.1}, level=MANY),
    Lift("PRelu", 7, (X,), {}, {1: f32(0.1, -0.2, 0.3).reshape(3, 1, 1)}, level=ROUNDING(1)),
    Lift("PRelu", 9, (X,), {}, {1: f32(0.1)}, level=ROUNDING(1)),
    Lift("MeanVarianceNormalization", 9, (X,), {}, level=MANY, scale=4.0),
    Lift("MeanVarianceNormalization", 13, (X,), {"axes": [1, 2]}, level=MANY, scale=4.0),
    Lift("Sum", 8, (X, (3, 1, 5), X), {}, level=MANY, scale=8.0),
    Lift("Max", 8, (X, (7, 1)), {}),
    Lift("Mean", 8, (X, (7, 1)), {}, level=MANY, scale=4.0),
    Lift("HardSigmoid", 7, (X,), {}, level=MANY, scale=1.0),
    Lift("Selu", 7, (X,), {}, level=MANY),
    Lift("Dropout", 7, (X,), {"ratio": 0.25}),
    Lift("Dropout", 10, (X,), {"ratio": 0.25}, outputs=2),
    Lift("Dropout", 12, (X,), {}, {1: np.float32(0.5), 2: np.bool_(False)}, outputs=2),
    Lift("Dropout", 13, (X,), {}, outputs=2),
    Lift("Affine", 7, (X,), {"alpha": 0.5, "beta": -1.0}, level=ROUNDING(4), scale=3.0),
    Lift("Crop", 7, (X,), {"border": [1, 2, 0, 3]}),
    Lift("Crop", 7, (X,), {"border": [1, 2, 0, 3], "scale": [2, 3]}),
    Lift("ImageScaler", 7, (X,), {"scale": 0.5, "bias": [1.0, -2.0, 0.5]}, level=ROUNDING(4), scale=4.0),
    Lift("ParametricSoftplus", 7, (X,), {"alpha": 0.5, "beta": 2.0}, level=MANY, scale=4.0),
    Lift("ScaledTanh", 7, (X,), {"alpha": 0.5, "beta": 2.0}, level=MANY, scale=1.0),
    Lift("ThresholdedRelu", 10, (X,), {"alpha": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize("lift", LIFTS, ids=str)
def test_lift(lift: Lift, symbolic: bool) -> None:
    feeds = {f"x{i}": draw(*shape, seed=i, dtype=lift.dtype) for i, shape in enumerate(lift.shapes)}
    constants = {f"x{i}": value for i, value in lift.constants.items()}
    inputs = [f"x{i}" for i in range(max((*range(len(feeds)), *lift.constants)) + 1)]
    outputs = [f"y{i}" for i in range(lift.outputs)]
    node = helper.make_node(
        lift.kind, [x if x in feeds or x in constants else "" for x in inputs], outputs, domain=lift.domain,
        **lift.attributes,
    )  # fmt: skip
    proto = model([node], feeds, constants, outputs, lift.opset, lift.element, symbolic)
    for output in proto.graph.output[1:]:
        output.type.tensor_type.elem_type = SECOND.get(lift.kind, lift.element)
    expected = run_onnxruntime(proto, feeds)
    for got, wanted in zip(run_import(proto, feeds), expected, strict=True):
        assert_close(got, wanted, lift.level, lift.scale)
