"""Matrix products."""

import numpy as np
import pytest

from tests.numerics import ROUNDING, assert_close
from tests.ops.oracles import Case, against_oracles, check, draw
from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops import Activation
from tinycnn.ops.gemm import Gemm
from tinycnn.ops.matmul import MatMul

PRODUCTS = [
    ((5, 7), (7, 3)),
    ((2, 5, 7), (7, 3)),
    ((5, 7), (2, 7, 3)),
    ((2, 1, 5, 7), (3, 7, 2)),
    ((7,), (7, 3)),
    ((5, 7), (7,)),
    ((7,), (7,)),
    ((2, 5, 7), (7,)),
    ((1, 1), (1, 1)),
]
CASES = [
    *(Case(MatMul(), (draw(*a), draw(*b)), ROUNDING(16), "absolute") for a, b in PRODUCTS),
    Case(MatMul(), (draw(5, 7, dtype="int64"), draw(7, 3, dtype="int64"))),
    *(
        Case(Gemm(transA=ta, transB=tb), (draw(*((7, 5) if ta else (5, 7))), draw(*((3, 7) if tb else (7, 3))), *c),
             ROUNDING(16), "absolute")
        for ta in (0, 1)
        for tb in (0, 1)
        for c in [(), (draw(3),), (draw(5, 1),), (draw(),), (draw(5, 3),), (draw(1, 3),)]
    ),
    Case(Gemm(alpha=0.5, beta=2.5), (draw(5, 7), draw(7, 3), draw(3)), ROUNDING(16), "absolute"),
]  # fmt: skip


@against_oracles(CASES)
def test_products(case, oracle):
    check(case, oracle)


@pytest.mark.parametrize("kind", [MatMul, Gemm])
def test_a_fused_activation_comes_last(kind):
    a, b = draw(5, 7), draw(7, 3)
    (y,) = kind(activation=Activation("clamp", -1, 1)).reference(a, b)
    (plain,) = kind().reference(a, b)
    assert_close(y, np.clip(plain, np.float32(-1), np.float32(1)), ROUNDING(1))


def test_macs():
    a, b, y = TensorSpec.f32(2, 5, 7), TensorSpec.f32(7, 3), TensorSpec.f32(2, 5, 3)
    assert MatMul().macs([a, b], [y]) == 2 * 5 * 7 * 3
    a, b, y = TensorSpec.f32(7, 5), TensorSpec.f32(3, 7), TensorSpec.f32(5, 3)
    assert Gemm(transA=1, transB=1).macs([a, b], [y]) == 5 * 7 * 3


@pytest.mark.parametrize(
    ("op", "shapes", "words"),
    [
        (MatMul(), [(5, 7), (5, 3)], "inner size"),
        (MatMul(), [(), (5, 3)], "inner size"),
        (MatMul(), [(2, 5, 7), (3, 7, 3)], "broadcast"),
        (Gemm(), [(5, 7), (5, 3)], "7 and 5"),
        (Gemm(), [(5, 7), (2, 7, 3)], "two matrices"),
        (Gemm(), [(5, 7), (7, 3), (5,)], "does not broadcast"),
        (Gemm(), [(5, 7), (7, 3), (1, 5, 3)], "does not broadcast"),
    ],
)
def test_what_does_not_fit_is_named(op, shapes, words):
    with pytest.raises(ShapeError, match=words):
        op.infer([TensorSpec.f32(*shape) for shape in shapes], [None] * len(shapes))
