"""Small ONNX models of any opset, and what onnxruntime and the imported graph make of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from tests.interpreter import evaluate
from tinycnn.converters import load_onnx
from tinycnn.ir import Graph

Arrays = Mapping[str, np.ndarray]


def draw(*shape: int, seed: int = 0, dtype: str = "float32") -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(rng.standard_normal(shape)).astype(dtype)


def info(name: str, array: np.ndarray, symbolic: bool = False) -> onnx.ValueInfoProto:
    shape = [f"{name}_{axis}" for axis in range(array.ndim)] if symbolic else array.shape
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), shape)


def model(
    nodes: Sequence[onnx.NodeProto],
    feeds: Arrays,
    constants: Arrays | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 21,
    element: int = onnx.TensorProto.FLOAT,
    symbolic: bool = False,
    domains: Mapping[str, int] | None = None,
    **others: Any,
) -> onnx.ModelProto:
    """symbolic: no size of an input is declared. element: type of the outputs."""
    graph = helper.make_graph(
        nodes, "g", [info(name, array, symbolic) for name, array in feeds.items()],
        [helper.make_tensor_value_info(name, element, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, v) for d, v in (domains or {}).items())]
    return helper.make_model(graph, opset_imports=opsets, ir_version=min(10, 4 + opset // 2), **others)


def run_onnxruntime(proto: onnx.ModelProto, feeds: Arrays, optimise: bool = False) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, dict(feeds))


def run_graph(graph: Graph, feeds: Arrays) -> list[np.ndarray]:
    """The outputs by the operators' references; f16 is computed in f32 and returned as f16."""
    values = evaluate(graph, {name: a.astype("f4") if a.dtype == "f2" else a for name, a in feeds.items()})
    half = {name for name, spec in graph.specs.items() if spec.dtype == np.float16}
    return [values[name].astype("f2") if name in half else values[name] for name in graph.outputs]


def run_import(proto: onnx.ModelProto, feeds: Arrays, **options: Any) -> list[np.ndarray]:
    return run_graph(load_onnx(proto, **options), feeds)


def kinds(graph: Graph) -> list[str]:
    return [node.kind for node in graph.nodes]
