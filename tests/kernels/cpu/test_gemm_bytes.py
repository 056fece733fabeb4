"""Products of matrices of integers against their reference."""

import numpy as np
import pytest

from tests.kernels.cpu.harness import choices, execute_alike, request
from tinycnn.kernels.cpu import isa
from tinycnn.ops import REGISTRY
from tinycnn.ops.activation import Activation


@pytest.mark.parametrize("low, scale", [(-128, 1.0), (0, 0.37), (-5, 2.0)])
@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("m, n, k", [(1, 1, 1), (1, 1000, 131), (2, 128, 64), (65, 13, 7), (3, 300, 515)])
def test_is_exact_with_any_number_of_threads(m, n, k, bias, transposed, low, scale):
    if not isa.ISAS["avx512"].multiplies_bytes:
        pytest.skip("this processor does not multiply bytes")
    rng = np.random.default_rng(m * n * k)
    a, b, c = (rng.integers(lo, lo + 256, s).astype(np.float32) for lo, s in ((low, (m, k)), (-128, (k, n)), (-99, n)))
    factor = (rng.uniform(0.5, 1.5, n if bias else ()) / (100 * np.sqrt(k))).astype(np.float32)
    op = REGISTRY["IntegerGemm"](
        transB=transposed, activation=Activation("quantize", -128, 127), low=low, scale=scale
    )  # fmt: skip
    arrays = [a, np.ascontiguousarray(b.T) if transposed else b, c if bias else None, factor]
    r = request(op, arrays, [1, 2, 3], "plain", isa.ISAS["avx512"], 3)
    [choice] = choices(r)
    np.testing.assert_array_equal(execute_alike(r, choice, arrays)[0], op.reference(*arrays)[0])


@pytest.mark.parametrize("name", ["avx2", "portable"])
def test_needs_a_processor_that_multiplies_bytes(name):
    op = REGISTRY["IntegerGemm"](activation=Activation("quantize", -128, 127))
    one = np.ones((1, 1), np.float32)
    assert choices(request(op, [one, one, None, one], [1, 3], "plain", isa.ISAS[name], 1)) == []
