"""Activation routines against float64: values over the whole range of f32, edges, and every length of tail."""

import numpy as np
import pytest

from tests.kernels.cpu.harness import Buffer, entry
from tinycnn.kernels.cpu import activation, isa
from tinycnn.ops.activation import FUNCTIONS, Activation

RUNNABLE = [name for name, variant in isa.ISAS.items() if variant.needs <= isa.host_features()]
U = 2.0**-24
VANISHING = 2.0**-119  # a result this small may become 0
ALPHA, BETA = 0.3, 1.7

# name: relative and absolute error, in units of U
LEVELS = {
    "clamp": (0, 0), "leaky_relu": (1, 0), "elu": (8, 0), "selu": (8, 0), "celu": (8, 0), "sigmoid": (6, 0),
    "hard_sigmoid": (2, 2), "hard_swish": (2, 4), "swish": (6, 0), "tanh": (8, 0), "softplus": (6, 0),
    "softsign": (3, 0), "exp": (4, 0), "log": (4, 0), "sqrt": (1, 0), "abs": (0, 0), "neg": (0, 0),
    "reciprocal": (1, 0), "floor": (0, 0), "ceil": (0, 0), "round": (0, 0), "erf": (8, 0), "gelu": (6, 20),
    "gelu_tanh": (20, 20), "mish": (10, 0), "thresholded_relu": (0, 0), "sign": (0, 0),
    "quantize": (0, 0),
}  # fmt: skip
EDGES = [-np.inf, -1e38, -1e20, -110, -104, -88.5, -1e-45, -0.0, 0.0, 1e-45, 1e-39, 88.5, 88.9, 3e7, 1e38]
EDGES += [np.inf, np.nan]


def apply(name: str, target: str, x: np.ndarray) -> np.ndarray:
    parameters, buffer = Buffer(16), Buffer(4 * x.size)
    parameters.f32()[0::2] = ALPHA, BETA
    buffer.f32()[:] = x
    entry(activation.function(name, target))(parameters.data.ctypes.data, buffer.address, x.size)
    assert buffer.intact()
    return buffer.f32().copy()


def sample() -> np.ndarray:
    rng = np.random.default_rng(7)
    near = [rng.normal(scale=s, size=4001) for s in (1e-3, 0.3, 2, 20)]
    bits = rng.integers(0, 2**32, 4001, dtype=np.uint32).view(np.float32)
    return np.concatenate([*near, EDGES, bits[np.abs(bits) < 1e38]]).astype(np.float32)


def test_every_function_has_a_routine():
    assert set(LEVELS) == set(activation.NAMES) == set(FUNCTIONS)


@pytest.mark.parametrize("target", RUNNABLE)
@pytest.mark.parametrize("name", LEVELS)
def test_values(name, target):
    x = sample()
    y = apply(name, target, x).astype(np.float64)
    expected = Activation(name, *np.float64(np.float32([ALPHA, BETA]))).apply(x.astype(np.float64))
    with np.errstate(over="ignore"):
        rounded = expected.astype(np.float32)
    assert np.array_equal(np.isnan(y), np.isnan(rounded)), x[np.isnan(y) != np.isnan(rounded)]
    infinite = np.isinf(rounded) | np.isinf(y)
    assert np.array_equal(y[infinite], rounded[infinite])
    relative, absolute = LEVELS[name]
    y, expected, x = (v[~infinite & ~np.isnan(rounded)].astype(np.float64) for v in (y, expected, x))
    bound = relative * np.abs(expected) + absolute * np.minimum(1, np.abs(x))
    error = np.abs(y - (expected if relative else expected.astype(np.float32)))
    bad = error > U * bound + VANISHING
    assert not bad.any(), (x[bad][:5], y[bad][:5], expected[bad][:5], error[bad][:5] / U)


@pytest.mark.parametrize("target", RUNNABLE)
@pytest.mark.parametrize("name", ["clamp", "tanh"])
def test_every_tail_is_computed_and_nothing_else_touched(name, target):
    x = sample()[:100]
    whole = apply(name, target, x)
    for count in range(70):
        assert np.array_equal(apply(name, target, x[:count]), whole[:count])
