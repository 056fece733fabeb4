"""Transposed convolution against its reference, for every instruction set, layout and number of threads."""

import numpy as np
import pytest

from tests.kernels.cpu.harness import choices, execute_alike, request
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY
from tinycnn.ops.activation import Activation

RELU = Activation("clamp", 0.0, np.inf)
# x, w [ci, co / group, *kernel], attributes
CASES = [
    ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    ((2, 3, 7, 5), (3, 19, 3, 3), {"pads": (1, 1, 1, 1)}),
    ((1, 17, 6, 9), (17, 18, 2, 2), {"strides": (2, 2), "activation": RELU}),
    ((1, 19, 5, 8), (19, 33, 4, 4), {"strides": (2, 2), "pads": (1, 1, 1, 1)}),
    ((2, 5, 4, 7), (5, 9, 3, 5), {"strides": (2, 3), "pads": (0, 2, 1, 1), "output_padding": (1, 2)}),
    ((1, 7, 6, 5), (7, 4, 3, 2), {"strides": (3, 1), "dilations": (2, 3), "pads": (2, 0, 0, 1)}),
    ((1, 4, 3, 3), (4, 3, 3, 3), {"strides": (2, 2), "dilations": (2, 2)}),
    ((1, 6, 3, 4), (6, 5, 1, 1), {"strides": (2, 3), "output_padding": (1, 0)}),
    ((1, 12, 5, 6), (12, 5, 3, 3), {"strides": (2, 2), "group": 3, "activation": Activation("hard_swish")}),
    ((2, 10, 4, 3), (10, 1, 4, 4), {"strides": (2, 2), "pads": (1, 1, 1, 1), "group": 10}),
    ((1, 2, 1, 2), (2, 3, 2, 7), {"strides": (5, 4), "pads": (0, 3, 0, 4)}),
    ((2, 8, 21), (8, 6, 5), {"strides": (3,), "pads": (2, 1)}),
    ((1, 2, 1, 3), (2, 3, 2, 1), {"strides": (1 << 62, 5), "dilations": (1, 1 << 62)}),
]


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("bias", [False, True], ids=["", "bias"])
@pytest.mark.parametrize("x, w, attributes", CASES, ids=str)
def test_matches_the_reference_with_any_number_of_threads(x, w, attributes, bias, name):
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    rng = np.random.default_rng(0)
    op = REGISTRY["ConvTranspose"](**attributes)
    shapes = [x, w, *([(w[1] * op.group,)] if bias else [])]
    arrays = [rng.standard_normal(s, np.float32) for s in shapes]
    r = request(op, arrays, [1, 2], "blocked", isa.ISAS[name], 3)
    offered = choices(r)
    assert [c.inputs[0] for c in offered] == ["blocked", "plain"]
    [magnitude] = REGISTRY["ConvTranspose"](**{**attributes, "activation": None}).reference(*map(np.abs, arrays))
    for choice in offered:
        [y] = execute_alike(r, choice, arrays)
        assert_close(y, op.reference(*arrays)[0], ROUNDING(8), magnitude)


def test_more_phases_than_are_worth_a_kernel_are_not_offered():
    op = REGISTRY["ConvTranspose"](strides=(1000, 1000))
    arrays = [np.ones((1, 1, 2, 2), np.float32), np.ones((1, 1, 3, 3), np.float32)]
    assert not choices(request(op, arrays, [1], "blocked", isa.current(), 1))
