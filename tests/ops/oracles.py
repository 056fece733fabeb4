"""Cases of operators, checked against their own inference and against two other implementations of ONNX."""

import dataclasses
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tests.numerics import EXACT, Level, assert_close
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op

OPSET = 28
IR_VERSION = 10
INTERNAL = {"activation", "indices"}  # fields that ONNX does not have


@dataclass(frozen=True)
class Case:
    """op(*inputs), None for an absent input.

    level  how near the oracles must come
    scale  what errors are relative to: None, each element; "peak", the greatest element; "absolute", what comes of the
           absolute values of the inputs
    """

    op: Op
    inputs: tuple[np.ndarray | None, ...]
    level: Level = EXACT
    scale: Literal["peak", "absolute"] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "inputs", tuple(None if x is None else np.asarray(x) for x in self.inputs))

    def __str__(self) -> str:
        shapes = ("-" if x is None else f"{x.dtype}[{','.join(map(str, x.shape))}]" for x in self.inputs)
        fields = (f"{f.name}={getattr(self.op, f.name)}" for f in dataclasses.fields(self.op)
                  if getattr(self.op, f.name) != f.default)  # fmt: skip
        return "-".join([self.op.kind, *shapes, *fields]).replace(" ", "")

    def magnitude(self, y: np.ndarray) -> np.ndarray | float | None:
        if self.scale == "peak":
            return float(np.max(np.abs(y), initial=0))
        if self.scale == "absolute":
            return self.op.reference(*(np.abs(x) if x is not None and x.dtype.kind == "f" else x for x in self.inputs))[
                0
            ]
        return None


def draw(*shape: int, dtype: str = "float32", low: float = -3, high: float = 3) -> np.ndarray:
    """Numbers in [low, high), always the same ones for the same arguments."""
    rng = np.random.default_rng(zlib.crc32(repr((shape, dtype, low, high)).encode()))
    if np.dtype(dtype).kind == "f":
        return np.asarray(rng.uniform(low, high, shape)).astype(dtype)
    return np.asarray(rng.integers(int(low), int(high), shape)).astype(dtype)


def attributes(op: Op) -> dict[str, object]:
    """The fields as ONNX attributes: those that differ from the defaults, and those without which there is no node."""
    schema = onnx.defs.get_schema(op.kind, OPSET).attributes
    result: dict[str, object] = {}
    for f in dataclasses.fields(op):
        value = getattr(op, f.name)
        if f.name in INTERNAL or (not schema[f.name].required and (value == f.default or value is None)):
            continue
        result[f.name] = numpy_helper.from_array(np.reshape(value, 1)) if isinstance(value, np.generic) else value
    return result


def model(case: Case, outputs: Iterable[np.ndarray]) -> onnx.ModelProto:
    """A model of this node alone; the arrays give the types."""

    def info(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)

    names = ["" if x is None else f"x{i}" for i, x in enumerate(case.inputs)]
    results = [info(f"y{i}", np.asarray(y)) for i, y in enumerate(outputs)]
    node = helper.make_node(case.op.kind, names, [y.name for y in results], **attributes(case.op))
    feeds = [info(name, x) for name, x in zip(names, case.inputs, strict=True) if x is not None]
    graph = helper.make_graph([node], case.op.kind, feeds, results)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def by_onnxruntime(proto: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Skips the test where onnxruntime has no kernel."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(proto.SerializeToString(), options, ["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        pytest.skip("onnxruntime does not implement this")
    return list(session.run(None, dict(feeds)))


def by_onnx(proto: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    with np.errstate(all="ignore"):
        return list(ReferenceEvaluator(proto).run(None, dict(feeds)))


ORACLES = {"onnxruntime": by_onnxruntime, "onnx": by_onnx}


def against_oracles(cases: Iterable[Case], doubts: Mapping[str, str] | None = None) -> pytest.MarkDecorator:
    """Parametrises a test over cases and oracles.

    doubts  part of a test's id -> why this oracle is not to be believed there
    """
    parameters = []
    for case in cases:
        for oracle in ORACLES:
            name = f"{oracle}-{case}"
            reason = next((why for part, why in (doubts or {}).items() if part in name), None)
            marks = [pytest.mark.skip(reason=reason)] if reason else []
            parameters.append(pytest.param(case, oracle, id=name, marks=marks))
    return pytest.mark.parametrize(("case", "oracle"), parameters)


def check(case: Case, oracle: str) -> None:
    """Inference foretells what the reference gives, with and without values, and the oracle says the same."""
    outputs = [np.asarray(y) for y in case.op.reference(*case.inputs)]
    specs = [None if x is None else TensorSpec.of(x) for x in case.inputs]
    for values in (list(case.inputs), [None] * len(specs)):
        foretold = case.op.infer(specs, values)
        assert foretold is None or list(foretold) == [TensorSpec.of(y) for y in outputs]
    feeds = {f"x{i}": x for i, x in enumerate(case.inputs) if x is not None}
    others = ORACLES[oracle](model(case, outputs), feeds)
    for y, other in zip(outputs, others, strict=True):
        assert_close(np.asarray(other), y, case.level, case.magnitude(y))
