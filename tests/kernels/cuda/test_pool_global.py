"""Pooling of whole images on CUDA kernels."""

import numpy as np
import pytest

from tests.cases.pool import GLOBALS
from tests.kernels.cuda.harness import case, everywhere, run
from tests.kernels.cuda.teams import use_small
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cuda import reduce
from tinycnn.ops import REGISTRY


@everywhere
@pytest.mark.parametrize("shape", GLOBALS, ids=str)
def test_whole_images(shape: tuple[int, ...], place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use_small(reduce, place, monkeypatch)
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    greatest, mean = REGISTRY["GlobalMaxPool"](), REGISTRY["GlobalAveragePool"]()
    [y] = run(case(mean, [x]), place)
    assert_close(y, mean.reference(x)[0], ROUNDING(float(np.prod(shape[2:])) / 4 + 8), mean.reference(np.abs(x))[0])
    [y] = run(case(greatest, [x]), place)
    assert_close(y, greatest.reference(x)[0])
    x[0, 0, ..., -1] = np.nan
    [y] = run(case(greatest, [x]), place)
    assert_close(y, greatest.reference(x)[0])
