"""Elementwise functions on f32 numbers, as part of the kernels that fuse them."""

import functools
import math
from typing import Any

import numpy as np

from tinycnn.kernels.cuda.simt import SIMULATED, inline

f32 = np.float32

if SIMULATED:

    def quiet(function: Any) -> Any:
        """The function on f32, without warnings where the device gives none."""

        def call(*args: Any) -> Any:
            with np.errstate(all="ignore"):
                return f32(function(*args))

        return call

    exp, expm1, log, log1p, tanh = (quiet(f) for f in (np.exp, np.expm1, np.log, np.log1p, np.tanh))
    sqrt, floor, ceil, rint, power = (quiet(f) for f in (np.sqrt, np.floor, np.ceil, np.rint, np.float_power))
    erf, divide = quiet(lambda x: math.erf(float(x))), quiet(np.divide)
else:
    from numba.cuda import libdevice

    exp, expm1, log, log1p, tanh = math.exp, math.expm1, math.log, math.log1p, math.tanh
    sqrt, floor, ceil, rint, power = math.sqrt, libdevice.floorf, libdevice.ceilf, libdevice.rintf, math.pow
    erf = math.erf
    divide = libdevice.fdiv_rn


@inline
def at_least(x, lo):
    """The larger; NaN stays."""
    return lo if x < lo else x


@inline
def at_most(x, hi):
    return hi if x > hi else x


@inline
def larger(a, b):
    """The larger; NaN if either is."""
    return a if a > b or a != a else b


@inline
def smaller(a, b):
    return a if a < b or a != a else b


@functools.cache
def formulas() -> dict[str, Any]:
    """name -> f(x, a, b), a and b being the parameters `alpha` and `beta` of `Activation`."""

    @inline
    def clamp(x, a, b):
        return at_most(at_least(x, a), b)

    @inline
    def leaky_relu(x, a, b):
        return a * x if x < f32(0) else x

    @inline
    def elu(x, a, b):
        return a * expm1(x) if x < f32(0) else x

    @inline
    def selu(x, a, b):
        return b * (a * expm1(x)) if x < f32(0) else b * x

    @inline
    def celu(x, a, b):
        return a * expm1(divide(x, a)) if x < f32(0) else x

    @inline
    def sigmoid(x, a, b):
        return divide(f32(1), f32(1) + exp(-x))

    @inline
    def hard_sigmoid(x, a, b):
        return at_most(at_least(a * x + b, f32(0)), f32(1))

    @inline
    def hard_swish(x, a, b):
        return x * at_most(at_least(x * f32(1 / 6) + f32(0.5), f32(0)), f32(1))

    @inline
    def swish(x, a, b):
        return divide(x, f32(1) + exp(-x))

    @inline
    def tanh_(x, a, b):
        return tanh(x)

    @inline
    def softplus(x, a, b):
        return at_least(x, f32(0)) + log1p(exp(-abs(x)))

    @inline
    def softsign(x, a, b):
        return divide(x, f32(1) + abs(x))

    @inline
    def exp_(x, a, b):
        return exp(x)

    @inline
    def log_(x, a, b):
        return log(x)

    @inline
    def sqrt_(x, a, b):
        return sqrt(x)

    @inline
    def abs_(x, a, b):
        return abs(x)

    @inline
    def neg(x, a, b):
        return -x

    @inline
    def reciprocal(x, a, b):
        return divide(f32(1), x)

    @inline
    def floor_(x, a, b):
        return floor(x)

    @inline
    def ceil_(x, a, b):
        return ceil(x)

    @inline
    def round_(x, a, b):
        return rint(x)

    @inline
    def quantize(x, a, b):
        return at_most(at_least(rint(x), a), b)

    @inline
    def erf_(x, a, b):
        return erf(x)

    @inline
    def gelu(x, a, b):
        return f32(0.5) * x * (f32(1) + erf(x * f32(0.7071067811865476)))

    @inline
    def gelu_tanh(x, a, b):
        """x (1 + tanh z) / 2 = x sigmoid(2 z) with z = sqrt(2 / pi) (x + 0.044715 x^3)."""
        z = x * (x * x * f32(-0.07135481627159922) + f32(-1.5957691216057308))
        return divide(x, f32(1) + exp(z))

    @inline
    def mish(x, a, b):
        """tanh(softplus(x)) = n / (n + 2) with n = e^x (e^x + 2)."""
        e = exp(at_most(x, f32(20)))
        n = e * (e + f32(2))
        return x * divide(n, n + f32(2))

    @inline
    def thresholded_relu(x, a, b):
        return f32(0) if x <= a else x

    @inline
    def sign(x, a, b):
        return f32(-1) if x < f32(0) else (f32(1) if x > f32(0) else x)

    return {name.rstrip("_"): f for name, f in locals().items()}
