"""Matrix products against their references, for every instruction set and number of threads."""

import numpy as np
import pytest

from tests.cases.gemm import PRODUCTS, gemm
from tests.kernels.cpu.harness import choices, execute_alike, request
from tests.numerics import ROUNDING, assert_close
from tinycnn.kernels.cpu import isa
from tinycnn.kernels.cpu.panels import panels


def offers(case, name):
    if not isa.ISAS[name].needs <= isa.host_features():
        pytest.skip(f"this processor lacks {name}")
    arrays = case.arrays()
    r = request(case.op, arrays, case.constants, "plain", isa.ISAS[name], 3)
    return r, arrays, choices(r)


@pytest.mark.parametrize("name", isa.ISAS)
@pytest.mark.parametrize("case", PRODUCTS, ids=str)
def test_matches_the_reference_with_any_number_of_threads(case, name):
    r, arrays, offered = offers(case, name)
    assert offered
    reference, magnitude = case.op.reference(*arrays)[0], case.magnitude(arrays)
    for choice in offered:
        [y] = execute_alike(r, choice, arrays)
        assert_close(y, reference, ROUNDING(4), magnitude)


@pytest.mark.parametrize(
    "case",
    [
        gemm((3, 4), (4, 5), (5,), constants=(), beta=2.0),
        gemm((3, 4), (4, 5), (3, 1), constants=()),
        gemm((2, 0), (0, 3)),
    ],
    ids=str,
)
def test_leaves_to_the_reference_what_it_cannot_do(case):
    assert not offers(case, "portable")[2]


def test_panels_hold_every_element_once_and_zeros_behind():
    matrix = np.arange(1, 36, dtype=np.float32).reshape(7, 5)
    packed = panels(matrix, 4)
    assert packed.shape == (2, 5, 4)
    np.testing.assert_array_equal(packed[1, :, :3], matrix[4:].T)
    assert not packed[1, :, 3].any()
