"""Published networks compute the same before and after all passes, and no pass forgets what it is there for."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.interpreter import evaluate
from tinycnn import passes
from tinycnn.converters import load_onnx
from tinycnn.passes.bind import bind

# Makes products of quantised values exact, so that roundings to a step may fall the other way than in the float form;
# its own tests and `tests/test_zoo.py` hold it to integer kernels. All other passes keep the float form.
LOAD = tuple(rewrite for rewrite in passes.LOAD if rewrite is not passes.keep_integers)
ZOO = Path(os.environ.get("TINYCNN_SHARED", Path(__file__).parents[3] / "shared")) / "zoo"
needs_zoo = pytest.mark.skipif(not ZOO.exists(), reason=f"no networks in {ZOO}")
GONE = {
    "BatchNormalization",
    "Relu",
    "LeakyRelu",
    "Clip",
    "MatMul",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Shape",
    "Identity",
}


@needs_zoo
@pytest.mark.parametrize(
    "model, shape",
    [
        ("mnist-8_ort", (1, 1, 28, 28)),
        ("cifar10_resnet20", (2, 3, 32, 32)),
        ("pfld_landmarks", (1, 3, 112, 112)),
        ("retinaface_mbnet0.25", (1, 3, 64, 96)),
        ("mobilenetv2_fp32_dequant", (1, 3, 224, 224)),
        ("shufflenet-v2-12-int8", (1, 3, 224, 224)),
    ],
)
def test_networks_keep_their_meaning(model: str, shape: tuple[int, ...]) -> None:
    graph = load_onnx(ZOO / f"{model}.onnx")
    (name,) = graph.inputs
    after = passes.run(bind(passes.run(graph, LOAD), {name: shape}), passes.BIND)
    assert not GONE.intersection(node.kind for node in after.nodes)
    assert all(value in after.specs for node in after.nodes for value in node.outputs)
    x = np.random.default_rng(0).random(shape, np.float32)
    truth, found = evaluate(graph, {name: x}), evaluate(after, {name: x})
    for output in graph.outputs:
        assert np.abs(found[output] - truth[output]).max() <= 1e-5 * np.abs(truth[output]).max()
