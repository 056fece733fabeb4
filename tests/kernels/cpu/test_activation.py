"""Activation routines against float64: values over the whole range of f32, edges, and every length of tail."""

import math

import numpy as np
import pytest

from tests.kernels.cpu.harness import Buffer, entry
from tinycnn.kernels.cpu import activation, isa

RUNNABLE = [name for name, variant in isa.ISAS.items() if variant.needs <= isa.host_features()]
U = 2.0**-24
VANISHING = 2.0**-119  # a result this small may become 0
ALPHA, BETA = 0.3, 1.7
erf = np.vectorize(math.erf)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def elu(x, alpha):
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x)


# name: f(x, alpha, beta), relative error and absolute error, both in units of U
FORMULAS = {
    "clamp": (lambda x, a, b: np.where(np.isnan(x), x, np.minimum(b, np.maximum(a, x))), 0, 0),
    "leaky_relu": (lambda x, a, b: np.where(x < 0, a * x, x), 1, 0),
    "elu": (lambda x, a, b: elu(x, a), 8, 0),
    "selu": (lambda x, a, b: b * elu(x, a), 8, 0),
    "celu": (lambda x, a, b: np.maximum(x, 0) + np.minimum(0, a * np.expm1(x / a)), 8, 0),
    "sigmoid": (lambda x, a, b: sigmoid(x), 6, 0),
    "hard_sigmoid": (lambda x, a, b: np.clip(a * x + b, 0, 1), 2, 2),
    "hard_swish": (lambda x, a, b: x * np.clip(x / 6 + 0.5, 0, 1), 2, 4),
    "swish": (lambda x, a, b: x * sigmoid(x), 6, 0),
    "tanh": (lambda x, a, b: np.tanh(x), 8, 0),
    "softplus": (lambda x, a, b: np.logaddexp(0, x), 6, 0),
    "softsign": (lambda x, a, b: x / (1 + np.abs(x)), 3, 0),
    "exp": (lambda x, a, b: np.exp(x), 4, 0),
    "log": (lambda x, a, b: np.log(x), 4, 0),
    "sqrt": (lambda x, a, b: np.sqrt(x), 1, 0),
    "abs": (lambda x, a, b: np.abs(x), 0, 0),
    "neg": (lambda x, a, b: -x, 0, 0),
    "reciprocal": (lambda x, a, b: 1 / x, 1, 0),
    "floor": (lambda x, a, b: np.floor(x), 0, 0),
    "ceil": (lambda x, a, b: np.ceil(x), 0, 0),
    "round": (lambda x, a, b: np.round(x), 0, 0),
    "erf": (lambda x, a, b: erf(x), 8, 0),
    "gelu": (lambda x, a, b: x / 2 * (1 + erf(x / np.sqrt(2))), 6, 20),
    "gelu_tanh": (lambda x, a, b: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))), 20, 20),
    "mish": (lambda x, a, b: x * np.tanh(np.logaddexp(0, x)), 10, 0),
    "thresholded_relu": (lambda x, a, b: np.where(x > a, x, 0), 0, 0),
    "sign": (lambda x, a, b: np.sign(x), 0, 0),
}
EDGES = [-np.inf, -1e38, -1e20, -110, -104, -88.5, -1e-45, -0.0, 0.0, 1e-45, 1e-39, 88.5, 88.9, 3e7, 1e38]
EDGES += [np.inf, np.nan]


def apply(name: str, target: str, x: np.ndarray) -> np.ndarray:
    parameters, buffer = Buffer(16), Buffer(4 * x.size)
    parameters.f32()[0::2] = ALPHA, BETA
    buffer.f32()[:] = x
    entry(activation.function(name, target))(parameters.data.ctypes.data, buffer.address, x.size)
    assert buffer.intact()
    return buffer.f32().copy()


def reference(name: str, x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return FORMULAS[name][0](x.astype(np.float64), *np.float64(np.float32([ALPHA, BETA])))


def sample() -> np.ndarray:
    rng = np.random.default_rng(7)
    near = [rng.normal(scale=s, size=4001) for s in (1e-3, 0.3, 2, 20)]
    bits = rng.integers(0, 2**32, 4001, dtype=np.uint32).view(np.float32)
    return np.concatenate([*near, EDGES, bits[np.abs(bits) < 1e38]]).astype(np.float32)


def test_every_name_is_tested():
    assert set(FORMULAS) == set(activation.NAMES)


@pytest.mark.parametrize("target", RUNNABLE)
@pytest.mark.parametrize("name", FORMULAS)
def test_values(name, target):
    x = sample()
    y, expected = apply(name, target, x).astype(np.float64), reference(name, x)
    with np.errstate(over="ignore"):
        rounded = expected.astype(np.float32)
    assert np.array_equal(np.isnan(y), np.isnan(rounded)), x[np.isnan(y) != np.isnan(rounded)]
    infinite = np.isinf(rounded) | np.isinf(y)
    assert np.array_equal(y[infinite], rounded[infinite])
    _, relative, absolute = FORMULAS[name]
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
