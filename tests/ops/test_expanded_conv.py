"""ExpandedConv: two convolutions in one."""

import re

import numpy as np
import pytest

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation
from tinycnn.ops.conv import Conv
from tinycnn.ops.expanded_conv import ExpandedConv

RANDOM = np.random.default_rng(3)
X, WE, W = (RANDOM.standard_normal(shape, np.float32) for shape in ((2, 3, 7, 8), (5, 3, 1, 1), (5, 1, 3, 3)))
BE, B = RANDOM.standard_normal((2, 5), np.float32)
FIRST = Conv(activation=Activation("clamp", 0.0, 6.0))
SECOND = Conv(strides=(2, 1), pads=(1, 0, 1, 2), group=5, activation=Activation("sigmoid"))


@pytest.mark.parametrize("be", [None, BE], ids=["", "first bias"])
@pytest.mark.parametrize("b", [None, B], ids=["", "second bias"])
def test_it_is_one_after_the_other(be: np.ndarray | None, b: np.ndarray | None) -> None:
    op = ExpandedConv(FIRST, SECOND)
    [wanted] = SECOND.reference(*FIRST.reference(X, WE, be), W, b)
    [found] = op.reference(X, WE, W, be, b)
    np.testing.assert_array_equal(found, wanted)
    specs = [None if a is None else TensorSpec.of(a) for a in (X, WE, W, be, b)]
    inferred = op.infer(specs, [None] * 5)
    assert inferred == (TensorSpec.of(wanted),) == (TensorSpec.f32(2, 5, 4, 8),)
    assert op.macs(specs, inferred) == 2 * 5 * 3 * 7 * 8 + 2 * 5 * 9 * 4 * 8


@pytest.mark.parametrize(
    "first, second, shapes, what",
    [
        (FIRST, Conv(group=1), [(1, 3, 4, 4), (5, 3, 1, 1), (5, 5, 3, 3)], "1 groups, not one for each channel"),
        (FIRST, SECOND, [(1, 4, 4, 4), (5, 3, 1, 1), (5, 1, 3, 3)], "do not fit together"),
        (FIRST, SECOND, [(1, 3, 4, 4), (5, 3, 1, 1), (5, 2, 3, 3)], "do not fit together"),
        (FIRST, SECOND, [(1, 3, 4, 4), (5, 3, 1, 1), (10, 1, 3, 3)], "not one for each channel"),
        (FIRST, SECOND, [(1, 3, 4, 4), (5, 3, 1, 3), (5, 1, 3, 3)], "is not pixel by pixel"),
        (Conv((2, 2)), SECOND, [(1, 3, 4, 4), (5, 3, 1, 1), (5, 1, 3, 3)], "is not pixel by pixel"),
        (Conv((2, 2), (1, 1, 1, 1)), SECOND, [(1, 3, 3, 3), (5, 3, 1, 1), (5, 1, 3, 3)], "is not pixel by pixel"),
        (FIRST, SECOND, [(1, 3, 4, 4), (5, 3, 1, 1)], "takes 3 to 5 inputs, not 2"),
    ],
)
def test_refusals(first: Conv, second: Conv, shapes: list[tuple[int, ...]], what: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(what)):
        ExpandedConv(first, second).infer([TensorSpec.f32(*s) for s in shapes], [None] * len(shapes))
