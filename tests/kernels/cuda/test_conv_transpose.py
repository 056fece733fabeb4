"""Transposed convolution on CUDA kernels against its float64 reference."""

from typing import Any

import numpy as np
import pytest

from tests.cases.conv_transpose import CASES
from tests.kernels.cuda.harness import case, everywhere, run
from tests.numerics import ROUNDING, assert_close
from tinycnn.ops import REGISTRY


@everywhere
@pytest.mark.parametrize("x, w, attributes", CASES, ids=str)
def test_transposed(x: tuple[int, ...], w: tuple[int, ...], attributes: dict[str, Any], place: str) -> None:
    rng = np.random.default_rng(0)
    op = REGISTRY["ConvTranspose"](**attributes)
    arrays = [rng.standard_normal(s, np.float32) for s in (x, w, (w[1] * attributes.get("group", 1),))]
    plain = REGISTRY["ConvTranspose"](**{k: v for k, v in attributes.items() if k != "activation"})
    [y] = run(case(op, arrays, [1, 2]), place)
    magnitude = plain.reference(*(np.abs(a) for a in arrays))[0]
    assert_close(y, op.reference(*arrays)[0], ROUNDING(8), magnitude)
