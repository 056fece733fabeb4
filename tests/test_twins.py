"""Classic networks with random weights, and every algorithm of convolution by hand."""

import numpy as np
import pytest

import tinycnn
from tests.cases.networks import twin
from tests.interpreter import evaluate
from tests.numerics import ROUNDING, Level, assert_close
from tests.planner.programs import chain, node
from tinycnn.ir import Graph
from tinycnn.summary import summarise


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet", "inception_v1", "densenet121"])
def test_classic_networks(name: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    data = twin(name).SerializeToString()
    ours = tinycnn.InferenceSession(data)
    theirs = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(2)
    x = {spec.name: rng.standard_normal(spec.shape).astype(np.float32) for spec in ours.get_inputs()}
    for y, wanted in zip(ours.run(None, x), theirs.run(None, x), strict=True):
        assert np.abs(y - wanted).max() <= 1e-3 * np.abs(wanted).max()
        assert np.ptp(wanted) > 0


def network() -> Graph:
    """Convolutions that every algorithm can compute, between some that only few can; ugly sizes."""
    rng = np.random.default_rng(3)

    def weights(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype(np.float32)

    return chain(
        (2, 3, 29, 23),
        node("Conv", "x w0 b0", "a", pads=(2, 1, 1, 2), strides=(2, 1)),
        node("Relu", "a", "r"),
        node("Conv", "r w1 b1", "b", pads=(1, 1, 1, 1)),
        node("Relu", "b", "s"),
        node("Conv", "s w2", "c", pads=(0, 1, 1, 0)),
        node("Conv", "s w3", "d", pads=(1, 0, 0, 1)),
        node("Add", "c d", "e"),
        node("Conv", "e w4", "y", group=5),
        w0=weights(37, 3, 5, 3), b0=weights(37), w1=weights(53, 37, 3, 3), b1=weights(53), w2=weights(35, 53, 3, 3),
        w3=weights(35, 53, 3, 3), w4=weights(20, 7, 1, 2),
    )  # fmt: skip


@pytest.mark.parametrize(
    "algorithm, level",
    [
        ("direct", ROUNDING(16)),
        ("im2col", ROUNDING(16)),
        ("winograd_f2x3", ROUNDING(16)),
        ("winograd_f4x3", ROUNDING(96)),
        ("winograd_f6x3", ROUNDING(192)),
    ],
)
def test_every_algorithm_by_hand(algorithm: str, level: Level) -> None:
    graph = network()
    x = {"x": np.random.default_rng(4).standard_normal((2, 3, 29, 23), np.float32)}
    values = evaluate(graph, x, wide=True)
    options = tinycnn.SessionOptions()
    options.conv_algorithm = algorithm
    session = tinycnn.InferenceSession(graph, options)
    used = [layer.algorithm for layer in summarise(session).layers if layer.name in "bcd" and layer.algorithm]
    assert used == [algorithm] * 3
    for name, y in zip("bey", session.run(["b", "e", "y"], x), strict=True):
        assert_close(y, values[name].astype(np.float32), level, np.abs(values[name]).max())


def test_an_algorithm_for_one_node() -> None:
    options = tinycnn.SessionOptions()
    options.conv_algorithm = {"b": "im2col", "c": "winograd_f4x3"}
    layers = {layer.name: layer.algorithm for layer in summarise(tinycnn.InferenceSession(network(), options)).layers}
    assert (layers["b"], layers["c"]) == ("im2col", "winograd_f4x3")
