"""Transposed convolution against its reference, for every instruction set, layout and number of threads."""

import numpy as np
import pytest

from tests.cases.conv_transpose import CASES
from tests.kernels.cpu.harness import choices, execute_alike, request
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY


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
