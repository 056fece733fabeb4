"""Operators on quantised tensors and of onnxruntime's optimiser, against onnxruntime."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.converters.onnx_models import draw, model, run_import, run_onnxruntime
from tests.numerics import ROUNDING, assert_close

U8, I8 = np.uint8, np.int8
MICROSOFT = "com.microsoft"


def codes(*shape: int, dtype: type = U8, seed: int = 0) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)


def scale(*values: float) -> np.ndarray:
    return np.array(values if len(values) > 1 else values[0], np.float32)


def zero(*values: int, dtype: type = U8) -> np.ndarray:
    return np.array(values if len(values) > 1 else values[0], dtype)


@dataclass(frozen=True)
class Quantised:
    """A node of which the first input, `x`, is fed and the others are constants; None: absent."""

    kind: str
    inputs: tuple[Any, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    domain: str = MICROSOFT
    at: int = 0  # position of the fed input
    element: int = TensorProto.UINT8

    def __str__(self) -> str:
        attributes = "-".join(f"{k}={v}" for k, v in self.attributes.items())
        return f"{self.kind}-{len(self.inputs)}-{attributes}".replace(" ", "")


X, XS, XZ = codes(2, 4, 6, 5), scale(0.03), zero(120)
YS, YZ = scale(0.05), zero(110)
W, WS, WZ = codes(6, 2, 3, 2, dtype=I8, seed=1), scale(0.02), zero(0, dtype=I8)
WIDE = scale(0.01, 0.02, 0.03, 0.015, 0.005, 0.025), zero(*[0] * 6, dtype=I8)
BIAS = np.arange(-600, 600, 200, dtype=np.int32)
M, N = codes(3, 7), codes(7, 5, dtype=I8, seed=2)

CASES = [
    Quantised("QLinearConv", (X, XS, XZ, W, WS, WZ, YS, YZ), {"group": 2, "strides": [2, 1]}, ""),
    Quantised("QLinearConv", (X, XS, XZ, W, *WIDE, YS, YZ, BIAS), {"group": 2, "pads": [1, 0, 1, 1]}, ""),
    Quantised("QLinearConv", (X, XS, XZ, W, WS, WZ, YS, YZ, BIAS), {"group": 2, "auto_pad": "SAME_UPPER"}, ""),
    Quantised("QLinearMatMul", (M, XS, XZ, N, WS, WZ, YS, YZ), {}, ""),
    Quantised("QLinearMatMul", (M, XS, XZ, N, WIDE[0][:5], WIDE[1][:5], scale(0.02), YZ), {}, ""),
    *(Quantised(kind, (X, XS, XZ, codes(4, 1, 5, seed=3), scale(0.02), zero(9), YS, YZ))
      for kind in ("QLinearAdd", "QLinearMul")),
    Quantised("QLinearLeakyRelu", (X, XS, XZ, YS, YZ), {"alpha": 0.2}),
    Quantised("QLinearSigmoid", (X, XS, XZ, scale(1 / 256), zero(0))),
    Quantised("QLinearGlobalAveragePool", (X, XS, XZ, YS, YZ), {"channels_last": 0}),
    Quantised("QLinearAveragePool", (X, XS, XZ, YS, YZ), {"kernel_shape": [3, 2], "pads": [1, 0, 0, 1]}),
    Quantised("QLinearSoftmax", (X, XS, XZ, scale(1 / 256), zero(0)), {"opset": 13, "axis": 1}),
    Quantised("QLinearConcat", (YS, YZ, X, XS, XZ, codes(2, 1, 6, 5, seed=4), scale(0.01), zero(3)), {"axis": 1}, at=2),
    Quantised("QGemm", (M, XS, XZ, N, WS, WZ, None, YS, YZ), {"alpha": 1.0}),
    Quantised("QGemm", (M, XS, XZ, N.T, WIDE[0][:5], WIDE[1][:5], BIAS[:5]), {"transB": 1}, element=TensorProto.FLOAT),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_quantised(case: Quantised) -> None:
    """The same codes but where a sum lies on a boundary: there they may differ by one."""
    names = ["" if a is None else f"i{i}" for i, a in enumerate(case.inputs)]
    fed = names[case.at]
    constants = {name: a for name, a in zip(names, case.inputs, strict=True) if name and name != fed}
    node = helper.make_node(case.kind, names, ["y"], domain=case.domain, **case.attributes)
    feeds = {fed: case.inputs[case.at]}
    proto = model([node], feeds, constants, opset=13, element=case.element, domains={MICROSOFT: 1})
    (wanted,), (got,) = run_onnxruntime(proto, feeds), run_import(proto, feeds)
    if case.element == TensorProto.FLOAT:
        assert_close(got, wanted, ROUNDING(64), scale=9.0)
        return
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    difference = np.abs(got.astype(int) - wanted.astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.05


F = draw(2, 4, 6, 5)
K, B, Z = draw(6, 4, 3, 2, seed=1), draw(6, seed=2), draw(2, 6, 4, 4, seed=3)
P, Q = draw(3, 4), draw(4, 5, seed=5)
FLOATS = [
    *(Quantised("FusedConv", (F, K, B), {"activation": activation, **parameters})
      for activation, parameters in (
          ("Relu", {}),
          ("Tanh", {}),
          ("Sigmoid", {}),
          ("LeakyRelu", {"activation_params": [0.1]}),
          ("Clip", {"activation_params": [-0.5, 2.0]}),
          ("HardSigmoid", {"activation_params": [0.3, 0.4]}),
      )),
    Quantised("FusedConv", (F, K, B, Z), {"activation": "Relu"}),
    Quantised("FusedConv", (F, K, B, Z), {}),
    Quantised("FusedGemm", (P, Q, draw(5)), {"activation": "Relu", "alpha": 0.5}),
    Quantised("FusedGemm", (P, Q, draw(5)), {"activation": "LeakyRelu", "activation_alpha": 0.2}),
    Quantised("FusedMatMul", (P, Q.T.copy()), {"transB": 1, "alpha": 0.5}),
    Quantised("FusedMatMul", (P.T.copy(), Q), {"transA": 1}),
    Quantised("Gelu", (P,)),
    Quantised("FastGelu", (P, draw(4))),
    Quantised("BiasGelu", (P, draw(4))),
    Quantised("QuickGelu", (P,), {"alpha": 1.5}),
]  # fmt: skip


@pytest.mark.parametrize("case", FLOATS, ids=str)
def test_fused(case: Quantised) -> None:
    names = [f"i{i}" for i in range(len(case.inputs))]
    feeds, constants = {names[0]: case.inputs[0]}, dict(zip(names[1:], case.inputs[1:], strict=True))
    node = helper.make_node(case.kind, names, ["y"], domain=MICROSOFT, **case.attributes)
    proto = model([node], feeds, constants, opset=13, domains={MICROSOFT: 1})
    (wanted,), (got,) = run_onnxruntime(proto, feeds), run_import(proto, feeds)
    assert_close(got, wanted, ROUNDING(64 if "Fast" not in case.kind else 1 << 14), scale=30.0)
