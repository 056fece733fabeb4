"""Elementwise functions on CUDA kernels against their float64 references."""

import numpy as np
import pytest

from tests.kernels.cuda.harness import case, everywhere, run
from tests.numerics import ROUNDING, assert_close
from tinycnn.ops import REGISTRY

EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1e-30, -1e-30, 88.0, -88.0, 1e4, -1e4, np.inf, -np.inf, np.nan]
# operator: what its errors are relative to beside the result, and how many roundings it may be off
FUNCTIONS = {
    "Abs": (0, 0), "Ceil": (0, 0), "Celu": (1, 4), "Elu": (1, 4), "Erf": (1, 4), "Exp": (0, 8), "Floor": (0, 0),
    "Gelu": (1, 8), "HardSigmoid": (1, 4), "HardSwish": (1, 4), "LeakyRelu": (0, 2), "Log": (1, 4), "Mish": (1, 8),
    "Neg": (0, 0), "Reciprocal": (0, 2), "Relu": (0, 0), "Round": (0, 0), "Selu": (1, 4), "Sigmoid": (1, 4),
    "Sign": (0, 0), "Softplus": (1, 4), "Softsign": (0, 4), "Sqrt": (0, 2), "Tanh": (1, 4), "ThresholdedRelu": (0, 0),
}  # fmt: skip


@everywhere
@pytest.mark.parametrize("kind", FUNCTIONS)
def test_functions(kind: str, place: str) -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([EDGES, rng.standard_normal(90), 20 * rng.standard_normal(30)]).astype(np.float32)
    op = REGISTRY[kind]()
    absolute, c = FUNCTIONS[kind]
    [y] = run(case(op, [x.reshape(3, 5, 9)]), place)
    with np.errstate(all="ignore"):
        reference = op.reference(x.reshape(3, 5, 9))[0]
        assert_close(y, reference, ROUNDING(c), np.maximum(np.abs(reference.astype(np.float64)), absolute))


@pytest.mark.gpu
def test_many_elements() -> None:
    x = np.random.default_rng(1).standard_normal(3_000_001).astype(np.float32)
    [y] = run(case(REGISTRY["Relu"](), [x]), "gpu")
    assert_close(y, np.maximum(x, 0))
