"""Which networks multiply bytes: those of which every target does."""

from dataclasses import replace

import numpy as np
import pytest

from tests.interpreter import evaluate
from tests.passes.network import network
from tinycnn.kernels.cpu import isa
from tinycnn.kernels.cuda.device import Device
from tinycnn.ops.activation import Activation
from tinycnn.ops.conv import Conv
from tinycnn.ops.div import Div
from tinycnn.ops.flatten import Flatten
from tinycnn.ops.global_max_pool import GlobalMaxPool
from tinycnn.ops.matmul import MatMul
from tinycnn.ops.mul import Mul
from tinycnn.planner.choose import Options
from tinycnn.runtime.network import Network

RANDOM = np.random.default_rng(6)
QUANTIZE = Activation("quantize", -128, 127)
GRAPH = network(
    [("i", Div(QUANTIZE), "x s"), ("a", Conv(), "i w"), ("y", Mul(QUANTIZE), "a s")],
    {"s": np.float32(0.5), "w": np.ones((5, 3, 1, 1), np.float32)},
    {"x": (1, 3, 4, 4)},
)
AVX512 = isa.ISAS["avx512"]
ALONE = replace(AVX512, dot=frozenset())


@pytest.mark.parametrize(
    "targets, kind",
    [
        ([AVX512], "IntegerConv" if AVX512.multiplies_bytes else "Conv"),
        ([ALONE], "Conv"),
        ([isa.ISAS["avx2"]], "Conv"),
        ([isa.ISAS["portable"]], "Conv"),
    ],
    ids=["vnni", "avx512 alone", "avx2", "portable"],
)
def test_the_target_decides(targets: list[isa.Isa], kind: str) -> None:
    graph, _ = Network(GRAPH, [Options(target, 1) for target in targets]).divide({"x": (1, 3, 4, 4)})
    assert kind in [node.kind for node in graph.nodes]


@pytest.mark.parametrize("threads", [1, 3])
def test_any_batch_and_size_is_as_defined(threads: int) -> None:
    """Each plan by its own kernels from the weights that all share; an empty batch by the definition."""
    weights = {"w": (21, 3, 3, 3), "d": (21, 1, 3, 3), "v": (21, 7)}
    graph = network(
        [
            ("i", Div(QUANTIZE), "x s"),
            ("a", Conv(strides=(2, 1), pads=(1, 0, 1, 1)), "i w"),
            ("b", Mul(QUANTIZE), "a f"),
            ("c", Conv(group=21, pads=(1, 1, 1, 1)), "b d"),
            ("e", Mul(QUANTIZE), "c f"),
            ("g", GlobalMaxPool(), "e"),
            ("h", Flatten(), "g"),
            ("k", MatMul(), "h v"),
            ("y", Mul(QUANTIZE), "k f"),
        ],
        {"s": np.float32(0.5), "f": np.float32(2**-8)}
        | {name: RANDOM.integers(-128, 128, shape).astype(np.float32) for name, shape in weights.items()},
        outputs="e y",
    )
    whole = Network(graph, [Options(isa.current(), threads)])
    for shape in [(1, 3, 5, 8), (4, 3, 9, 33), (0, 3, 5, 8), (2, 3, 3, 2), (1, 3, 5, 8)]:
        x = RANDOM.uniform(-70, 70, shape).astype(np.float32)
        wanted = evaluate(graph, {"x": x})
        for name, found in zip(graph.outputs, whole.run({"x": x}), strict=True):
            np.testing.assert_array_equal(found, wanted[name])
            assert not x.size or len(np.unique(found)) > 3


def test_a_device_beside_the_processor_keeps_its_convolutions() -> None:
    targets = Device(90), AVX512
    assert not Network(GRAPH, [Options(target, 1) for target in targets]).multiplies_bytes
