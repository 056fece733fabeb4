"""Opsets before 7, which onnxruntime does not read: against the same computation written down in NumPy."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.converters.onnx_models import draw, model, run_import
from tests.numerics import EXACT, ROUNDING, Level, assert_close
from tinycnn.converters import load_onnx
from tinycnn.errors import UnsupportedModelError

A, B, C = draw(2, 3, 4, 5), draw(3, 4, seed=1), draw(2, 3, seed=2)
POSITIVE = np.abs(draw(2, 3, 4, 5)) + 1
Case = tuple[int, str, Mapping[str, np.ndarray], Mapping[str, np.ndarray], Mapping[str, Any], np.ndarray, Level]


def aligned(kind: str, f: Callable[[np.ndarray, np.ndarray], np.ndarray], a: np.ndarray = A) -> list[Case]:
    """A node whose b lies at `axis` of a, as constant and as input."""
    b = (B > 0) if a.dtype == bool else np.abs(B) if kind == "Pow" else B
    cases: list[Case] = []
    for axis in (1, -3):
        wanted = f(a, b[..., None])
        given = {"broadcast": 1, "axis": axis}
        cases.append((6, kind, {"a": a}, {"b": b}, given, wanted, ROUNDING(4)))
        if axis > 0:
            cases.append((6, kind, {"a": a, "b": b}, {}, given, wanted, ROUNDING(4)))
    return cases


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    rows = x.reshape(int(np.prod(x.shape[:axis])), -1).astype(np.float64)
    e = np.exp(rows - rows.max(1, keepdims=True))
    return (e / e.sum(1, keepdims=True)).reshape(x.shape).astype(np.float32)


def normalised(axes: tuple[int, ...]) -> np.ndarray:
    centred = A.astype(np.float64) - A.mean(axes, keepdims=True, dtype=np.float64)
    return (centred / np.sqrt((centred**2).mean(axes, keepdims=True))).astype(np.float32)


S = draw(3, seed=4)
CASES: list[Case] = [
    *aligned("Add", np.add),
    *aligned("Sub", np.subtract),
    *aligned("Mul", np.multiply),
    *aligned("Div", np.divide),
    *aligned("Pow", np.power, POSITIVE),
    *aligned("And", np.logical_and, A > 0),
    *aligned("Or", np.logical_or, A > 0),
    *aligned("Xor", np.logical_xor, A > 0),
    *aligned("Less", np.less),
    *aligned("Greater", np.greater),
    (1, "Add", {"a": A}, {"b": draw(4, 5)}, {"broadcast": 1, "consumed_inputs": [0, 0]}, A + draw(4, 5), EXACT),
    (6, "Add", {"a": A, "b": A}, {}, {}, A + A, EXACT),
    (6, "Mul", {"a": A}, {"b": np.float32(2)}, {"broadcast": 1}, A * 2, EXACT),
    (1, "Clip", {"x": A}, {}, {"min": -0.5, "max": 0.5, "consumed_inputs": [0]}, np.clip(A, -0.5, 0.5), EXACT),
    (1, "Concat", {"a": A, "b": A}, {}, {}, np.concatenate([A, A], 1), EXACT),
    (1, "Reshape", {"x": A}, {}, {"shape": [0, -1]}, A.reshape(2, -1), EXACT),
    (1, "Slice", {"x": A}, {}, {"starts": [1, -2], "ends": [9, -1], "axes": [1, 3]}, A[:, 1:, :, -2:-1], EXACT),
    (1, "Split", {"x": A}, {}, {"axis": 3, "split": [5]}, A, EXACT),
    (1, "Squeeze", {"x": A[:, :1]}, {}, {"axes": [1]}, A[:, 0], EXACT),
    (1, "Unsqueeze", {"x": A}, {}, {"axes": [0]}, A[None], EXACT),
    (1, "Pad", {"x": A}, {}, {"paddings": [0, 0, 1, 0, 0, 1, 0, 2], "value": 3.0},
     np.pad(A, [(0, 0), (0, 1), (1, 0), (0, 2)], constant_values=3), EXACT),
    (1, "Cast", {"x": A}, {}, {"to": "INT32"}, A.astype(np.int32), EXACT),
    (1, "Softmax", {"x": A}, {}, {}, softmax(A, 1), ROUNDING(64)),
    (1, "Softmax", {"x": A}, {}, {"axis": 2}, softmax(A, 2), ROUNDING(64)),
    (1, "Upsample", {"x": A}, {}, {"height_scale": 2.0, "width_scale": 3.0}, A.repeat(2, 2).repeat(3, 3), EXACT),
    (1, "Tile", {"x": A}, {"tiles": np.int64(3), "axis": np.int64(2)}, {}, np.tile(A, (1, 1, 3, 1)), EXACT),
    (1, "TopK", {"x": A}, {}, {"k": 2}, -np.sort(-A, -1)[..., :2], EXACT),
    (1, "PRelu", {"x": A}, {"s": S}, {}, np.where(A < 0, A * S[:, None, None], A), ROUNDING(2)),
    (6, "PRelu", {"x": A}, {"s": np.float32([0.25])}, {}, np.where(A < 0, A * 0.25, A).astype("f4"), EXACT),
    (1, "Gemm", {"a": C, "b": B}, {"c": S[:1]}, {"broadcast": 1, "alpha": 2.0}, 2 * (C @ B) + S[:1], ROUNDING(64)),
    (6, "BatchNormalization", {"x": A}, {"s": S, "b": S, "m": S, "v": S**2 + 1}, {"is_test": 1, "spatial": 1},
     ((A - S[:, None, None]) / np.sqrt(S**2 + 1 + 1e-5)[:, None, None] * S[:, None, None] + S[:, None, None]),
     ROUNDING(64)),
    (1, "Dropout", {"x": A}, {}, {"is_test": 1, "ratio": 0.3}, A, EXACT),
    (6, "Dropout", {"x": A}, {}, {}, A, EXACT),
    (1, "MeanVarianceNormalization", {"x": A}, {}, {}, normalised((2, 3)), ROUNDING(64)),
    (1, "MeanVarianceNormalization", {"x": A}, {}, {"across_channels": 1}, normalised((1, 2, 3)), ROUNDING(64)),
    (1, "MeanVarianceNormalization", {"x": A}, {}, {"normalize_variance": 0}, A - A.mean((2, 3), keepdims=True),
     ROUNDING(64)),
    (1, "GlobalLpPool", {"x": A}, {}, {"p": 1.0}, np.abs(A).sum((2, 3), keepdims=True), ROUNDING(64)),
    (2, "GlobalLpPool", {"x": A}, {}, {}, np.sqrt((A**2).sum((2, 3), keepdims=True)), ROUNDING(64)),
    (2, "GlobalLpPool", {"x": A}, {}, {"p": 3}, np.cbrt((np.abs(A) ** 3).sum((2, 3), keepdims=True)), ROUNDING(64)),
    (1, "Selu", {"x": POSITIVE}, {}, {}, POSITIVE * np.float32(1.0507), ROUNDING(2)),
    (1, "Scale", {"x": A}, {}, {"scale": 0.5}, A * np.float32(0.5), EXACT),
    (1, "Max", {"a": A, "b": -A}, {}, {}, np.abs(A), EXACT),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[1]}-{c[0]}-{c[4]}-{len(c[2])}".replace(" ", ""))
@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
def test_against_numpy(case: Case, symbolic: bool) -> None:
    opset, kind, feeds, constants, attributes, wanted, level = case
    outputs = ["y", ""] if kind == "TopK" else ["y"]
    node = helper.make_node(kind, [*feeds, *constants], outputs, **attributes)
    proto = model([node], feeds, constants, opset=opset, symbolic=symbolic)
    (got,) = run_import(proto, feeds)
    assert_close(got, wanted, level, scale=30.0 if level != EXACT else None)


def test_alignment_where_no_rank_is_known() -> None:
    """The declared inputs have no shape: shape arithmetic aligns b."""
    node = helper.make_node("Add", ["a", "b"], ["y"], broadcast=1, axis=1)
    proto = model([node], {"a": A, "b": B}, opset=6)
    for value in proto.graph.input:
        value.type.tensor_type.ClearField("shape")
    (got,) = run_import(proto, {"a": A, "b": B})
    assert_close(got, A + B[..., None])


REFUSED: list[tuple[int, str, list[str], dict[str, Any], str]] = [
    (6, "BatchNormalization", ["y", "m1", "v1", "m2", "v2"], {}, "training"),
    (14, "BatchNormalization", ["y", "m1", "v1"], {}, "training"),
    (1, "Cast", ["y"], {"to": "NONSENSE"}, "not an element type"),
    (21, "Constant", ["y"], {"value_float": 1.0, "value_int": 1}, "one value attribute"),
    (6, "Add", ["y"], {"broadcast": 1, "axis": 3}, "does not fit at axis 3"),
    (1, "Slice", ["y"], {"starts": [0], "ends": [1, 2]}, "equal lengths"),
    (1, "Crop", ["y"], {"border": [1, 2]}, "four integers"),
    (1, "LpPool", ["y"], {"kernel_shape": [2, 2], "p": 1.5}, "not an integer"),
]


@pytest.mark.parametrize("opset, kind, outputs, attributes, message", REFUSED, ids=[case[1] for case in REFUSED])
def test_refused(opset: int, kind: str, outputs: list[str], attributes: dict[str, Any], message: str) -> None:
    constants = {"b": B} if kind == "Add" else dict.fromkeys("sbmv", S) if kind == "BatchNormalization" else {}
    inputs = ["x", *constants] if kind != "Constant" else []
    proto = model([helper.make_node(kind, inputs, outputs, **attributes)], {"x": A}, constants, outputs, opset)
    with pytest.raises(UnsupportedModelError, match=message):
        load_onnx(proto)


def test_a_model_that_names_no_opset_is_of_the_first() -> None:
    proto = model([helper.make_node("Cast", ["x"], ["y"], to="INT32")], {"x": A}, element=TensorProto.INT32)
    del proto.opset_import[:]
    (got,) = run_import(proto, {"x": A})
    assert_close(got, A.astype(np.int32))
