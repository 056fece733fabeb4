"""Packed weights are shared by all plans of a session: what has one key is the same, whatever the input's size."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from tests.kernels.cpu.harness import choices, request
from tinycnn.ir import TensorSpec
from tinycnn.kernels.cpu import isa
from tinycnn.kernels.kernel import Kernel
from tinycnn.kernels.lowering import Ref, Stride
from tinycnn.ops import REGISTRY


@dataclass
class Packer:
    """An Emitter that packs weights and runs nothing."""

    packed: dict[str, np.ndarray] = field(default_factory=dict)

    def input(self, i: int) -> Ref:
        return Ref(0)

    def output(self, i: int = 0) -> Ref:
        return Ref(0)

    def placed(self, i: int) -> bool:
        return False

    def table(self, values: np.ndarray) -> Ref:
        return Ref(0)

    def scratch(self, nbytes: int) -> Ref:
        return Ref(0)

    def apart(self, nbytes: int) -> Ref:
        return Ref(0)

    def row(self, kernel: Kernel, **values: int | float | Ref | Stride | Kernel) -> None:
        pass

    def weights(self, key: str, make: Callable[[], np.ndarray]) -> Ref:
        made = make()
        np.testing.assert_array_equal(made, self.packed.setdefault(key, made), key)
        return Ref(0)


SIZES = [(1, 1), (2, 1), (3, 5), (8, 9), (9, 8), (9, 9), (20, 23), (41, 40)]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (2, 3)], ids=str)
@pytest.mark.parametrize(
    ("kind", "w"),
    [
        ("Conv", (18, 3, 7, 7)),
        ("Conv", (18, 4, 6, 6)),
        ("Conv", (32, 33, 3, 3)),
        ("Conv", (20, 10, 5, 4)),
        ("Conv", (32, 32, 1, 1)),
        ("Conv", (24, 1, 3, 3)),
        ("ConvTranspose", (20, 6, 3, 4)),
    ],
    ids=str,
)
def test_a_key_tells_what_is_packed(
    kind: str, w: tuple[int, ...], strides: tuple[int, int], auto_pad: str, name: str
) -> None:
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    rng = np.random.default_rng(0)
    weights, group = rng.standard_normal(w, np.float32), {1: 24, 10: 2}.get(w[1], 1)
    channels = w[0] if kind == "ConvTranspose" else w[1] * group
    bias = rng.standard_normal(w[1] if kind == "ConvTranspose" else w[0], np.float32)
    packer, op = Packer(), REGISTRY[kind](strides=strides, group=group, auto_pad=auto_pad)
    for size in SIZES:
        arrays = [np.zeros((1, channels, *size), np.float32), weights, bias]
        bound = op.bound([TensorSpec.of(array) for array in arrays])
        for choice in choices(request(bound, arrays, [1, 2], "blocked", isa.ISAS[name], 2)):
            choice.emit(packer)
    assert packer.packed


def test_a_scale_with_sizes_around_it_is_told_by_both() -> None:
    """[1, 5, 1] over inputs [2, h, 5, w] with as many elements."""
    packer, scale = Packer(), np.arange(5, dtype=np.float32).reshape(1, 5, 1)
    for h, w in ((2, 3), (3, 2), (6, 1)):
        arrays = [np.zeros((2, h, 5, w), np.float32), scale]
        op = REGISTRY["LayerNormalization"](axis=1)
        for choice in choices(request(op, arrays, [1], "plain", isa.current(), 1)):
            choice.emit(packer)
    assert packer.packed
