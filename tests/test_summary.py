"""What `inspect` tells of a plan."""

import numpy as np

from tests.planner.programs import chain, convolutions, node, normal
from tinycnn.ir import TensorSpec
from tinycnn.session import InferenceSession, SessionOptions
from tinycnn.summary import Summary, default_shapes, summarise


def summary(graph: object, **options: object) -> Summary:
    return summarise(InferenceSession(graph, SessionOptions(intra_op_num_threads=1, **options)))


def test_every_layer_with_its_numbers() -> None:
    told = summary(convolutions(), conv_algorithm="direct")
    first, depthwise, pointwise = (layer for layer in told.layers if layer.operator == "Conv")
    assert (first.output, first.parameters, first.macs) == ("1x19x11x7", 19 * 3 * 9 + 19, 19 * 77 * 27)
    assert (depthwise.parameters, depthwise.macs) == (19 * 9, 19 * 77 * 9)
    assert (pointwise.parameters, pointwise.macs) == (19 * 19 + 19, 19 * 77 * 19)
    assert {layer.algorithm for layer in (first, depthwise, pointwise)} == {"direct"}
    assert all(layer.native and layer.reason for layer in told.layers)
    assert told.macs == sum(layer.macs for layer in told.layers)
    assert told.arena_bytes >= 4 * 32 * 77
    assert told.weight_bytes >= 4 * told.parameters
    assert told.native_stretches == 1


def test_what_python_computes_is_shown() -> None:
    graph = chain((2, 3, 4), node("Relu", "x", "a"), node("ArgMax", "a", "b", axis=1), node("Cast", "b", "y", to=1))
    layers = {layer.operator: layer for layer in summary(graph).layers}
    assert layers["Relu"].native
    assert not layers["ArgMax"].native
    assert layers["ArgMax"].output == "2x1x4"
    assert "Python" in layers["ArgMax"].reason


def test_symbolic_sizes_get_the_usual_ones() -> None:
    graph = chain((1, 3, 8, 8), node("Conv", "x w", "y"), w=normal(4, 3, 1, 1))
    session = InferenceSession(graph.replace(inputs={"x": TensorSpec.f32("n", 3, "h", 320)}, specs={}))
    assert default_shapes(session, {}) == {"x": (1, 3, 224, 320)}
    assert default_shapes(session, {"x": (2, 3, 5, 320)}) == {"x": (2, 3, 5, 320)}
    assert summarise(session, {"x": (2, 3, 5, 320)}).outputs == {"y": str(TensorSpec.f32(2, 4, 5, 320))}
    assert np.prod((2, 4, 5, 320)) * 3 == summarise(session, {"x": (2, 3, 5, 320)}).macs
