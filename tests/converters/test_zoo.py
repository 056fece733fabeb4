"""Pretrained networks: imported without a problem, written again, and computed to what onnxruntime gives."""

import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.converters.onnx_models import kinds, run_graph
from tinycnn.converters import load_onnx, to_onnx

SHARED = Path(os.environ.get("TINYCNN_SHARED", Path(__file__).parents[3] / "shared"))
ZOO = sorted((SHARED / "zoo").glob("*.onnx"))
LIGHT = sorted((Path(onnx.__file__).parent / "backend" / "test" / "data" / "light").glob("light_*.onnx"))
SMALL = ("mnist-8_ort", "cifar10_resnet20", "pfld_landmarks")

needs_zoo = pytest.mark.skipif(not ZOO, reason=f"no networks in {SHARED / 'zoo'}; TINYCNN_SHARED says where they are")


def session(model: Path | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def feeds_of(net: onnxruntime.InferenceSession) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    feeds = {}
    for spec in net.get_inputs():
        shape = [d if isinstance(d, int) else 1 if axis == 0 else 64 for axis, d in enumerate(spec.shape)]
        feeds[spec.name] = rng.standard_normal(shape).astype("f2" if "float16" in spec.type else "f4")
    return feeds


def assert_equal(got: list[np.ndarray], wanted: list[np.ndarray], tolerance: float) -> None:
    """Within a share of the greatest element of each output: errors of one layer spread over all of the next."""
    for y, reference in zip(got, wanted, strict=True):
        assert (y.shape, y.dtype) == (reference.shape, reference.dtype)
        peak = np.abs(reference.astype(np.float64)).max()
        assert np.abs(y.astype(np.float64) - reference).max() <= tolerance * peak


@needs_zoo
@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.stem)
def test_written_again_it_computes_the_same(path: Path) -> None:
    graph = load_onnx(path)
    assert not [kind for kind in kinds(graph) if kind.startswith("onnx.")]
    again = to_onnx(graph)
    onnx.checker.check_model(again)
    net = session(path)
    feeds = feeds_of(net)
    assert_equal(session(again.SerializeToString()).run(None, feeds), net.run(None, feeds), 1e-4)


@needs_zoo
@pytest.mark.parametrize("path", [path for path in ZOO if path.stem in SMALL], ids=lambda path: path.stem)
def test_the_references_compute_what_onnxruntime_does(path: Path) -> None:
    net = session(path)
    feeds = feeds_of(net)
    assert_equal(run_graph(load_onnx(path), feeds), net.run(None, feeds), 1e-5)


@pytest.mark.parametrize("path", LIGHT, ids=lambda path: path.stem)
def test_light_models_of_the_onnx_package(path: Path) -> None:
    graph = load_onnx(path)
    assert not [kind for kind in kinds(graph) if kind.startswith("onnx.")]
    onnx.checker.check_model(to_onnx(graph))
