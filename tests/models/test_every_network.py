"""Every network: built, run, written as ONNX, run by onnxruntime, equal."""

import numpy as np
import pytest

import tinycnn
from tinycnn.converters import to_onnx
from tinycnn.models import architecture, architecture_names

# Where the usual input would take long: networks whose largest layer, or whose time, grows with it.
SIZES = {
    "vgg": 64, "zfnet": 99, "googlenet_naive": 64, "resnet101": 96, "resnet152": 96, "densenet201": 96,
    "densenet264": 96, "resnext101": 96, "wrn_50": 96,
}  # fmt: skip
# onnxruntime computes the same in another order.
NEAR = 1e-3


def pictures(channels: int, size: int) -> np.ndarray:
    """Two of 4x4 patches: of noise, in which each part looks like any other, means would be the same."""
    patches = np.random.default_rng(2).standard_normal((2, channels, 4, 4), np.float32)
    where = np.arange(size) * 4 // size
    return patches[:, :, where[:, None], where]


@pytest.mark.parametrize("name", architecture_names())
def test_a_network(name: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    network = architecture(name)
    size = next((size for prefix, size in SIZES.items() if name.startswith(prefix)), network.input[1])
    graph = network.build(input_size=size)
    x = pictures(network.input[0], size)
    [y] = tinycnn.InferenceSession(graph).run(None, {"image": x})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    file = to_onnx(graph).SerializeToString()
    [wanted] = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"]).run(None, {"image": x})
    largest = np.abs(wanted).max()
    assert y.shape == wanted.shape == (2, network.classes)
    assert np.isfinite(wanted).all() and np.isfinite(y).all()
    assert np.abs(y - wanted).max() <= NEAR * largest
    assert wanted.std(axis=1).min() > 0.05 * largest, "classes differ"
    assert np.abs(wanted[0] - wanted[1]).max() > 0.02 * largest, "images differ"
