"""Dense layers and products of computed matrices on CUDA kernels against the float64 reference."""

import numpy as np
import pytest

from tests.cases.gemm import PRODUCTS, Product
from tests.kernels.cuda.harness import SMALL, case, everywhere, run
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cuda import conv_im2col
from tinycnn.kernels.cuda.conv_im2col import Plan


@everywhere
@pytest.mark.parametrize("product", PRODUCTS, ids=str)
def test_products(product: Product, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if place == "simulator":
        if max(np.prod(shape) for shape in product.shapes) > 20_000:
            pytest.skip("too much for the simulator")
        monkeypatch.setattr(conv_im2col, "best", lambda p, device: Plan(p, SMALL, 1, 0.0))
    arrays = product.arrays()
    [y] = run(case(product.op, arrays, product.constants), place)
    assert_close(y, product.op.reference(*arrays)[0], ROUNDING(8), product.magnitude(arrays))
