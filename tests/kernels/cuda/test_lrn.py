"""LRN on CUDA kernels against its reference."""

import numpy as np
import pytest

from tests.cases.norm import NEIGHBOURS
from tests.kernels.cuda.harness import case, everywhere, run
from tinycnn.ops import REGISTRY


def check(shape: tuple[int, ...], size: int, place: str) -> None:
    op = REGISTRY["LRN"](size=size, alpha=0.02, beta=0.75, bias=2.0)
    x = 10 * np.random.default_rng(0).standard_normal(shape, np.float32)
    [y] = run(case(op, [x]), place)
    np.testing.assert_allclose(y, op.reference(x)[0], rtol=2e-6)


@everywhere
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 70])
@pytest.mark.parametrize("shape", NEIGHBOURS, ids=str)
def test_lrn(shape: tuple[int, ...], size: int, place: str) -> None:
    check(shape, size, place)


@pytest.mark.gpu
@pytest.mark.parametrize("size", [5, 4])
def test_large_maps(size: int) -> None:
    check((3, 193, 55, 57), size, "gpu")
