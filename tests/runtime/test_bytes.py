"""Which networks multiply bytes: those of which every target does."""

from dataclasses import replace

import numpy as np
import pytest

from tests.passes.network import network
from tinycnn.kernels.cpu import isa
from tinycnn.kernels.cuda.device import Device
from tinycnn.ops.activation import Activation
from tinycnn.ops.conv import Conv
from tinycnn.ops.div import Div
from tinycnn.ops.mul import Mul
from tinycnn.planner.lower import Options
from tinycnn.runtime.network import Network

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


def test_a_device_beside_the_processor_keeps_its_convolutions() -> None:
    targets = Device(90), AVX512
    assert not Network(GRAPH, [Options(target, 1) for target in targets]).multiplies_bytes
