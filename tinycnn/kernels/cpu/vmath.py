"""Elementary functions on vectors, from arithmetic alone: within a few units in the last place, right at the edges.

The polynomials are weighted minimax fits in double precision, rounded to f32. Range reduction follows Cody and Waite,
Software Manual for the Elementary Functions (1980).
"""

import functools
from types import SimpleNamespace

from tinycnn.kernels.cpu.simd import (
    at_least,
    at_most,
    exponent,
    fabs,
    fma,
    inline,
    mantissa,
    polynomial,
    scale,
    vectors,
    where_eq,
    where_lt,
)

LOG2_E = 1.4426950408889634
LN2_HI, LN2_LO = 0.693359375, -2.12194440054690583e-4  # LN2_HI times an exponent is exact
ROUND = 1.5 * 2.0**23  # x + ROUND - ROUND is x rounded to even, for |x| < 2^22
INTEGRAL = 2.0**23  # from here on every f32 is an integer
LEAST_NORMAL = 2.0**-126
# exp(x) is 0 below and inf above these.
EXP_LOW, EXP_HIGH = -104.0, 89.0

# (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2
EXP = (0.500000010098, 0.166665128884, 0.041666187284, 0.00836959841, 0.001395171725)
# (log(1 + f) - f + f^2 / 2) / f^3 on [sqrt(1/2) - 1, sqrt(2) - 1]
LOG = (
    0.333333317097, -0.250008210562, 0.200012266675, -0.166233564794,
    0.14201762467, -0.13160195053, 0.127615503602, -0.076344299079,
)  # fmt: skip
# -log(1 - erf(t)) / t on [0, 4]
ERF = (
    1.128379171999, 0.6366193716405, 0.1027779085793, -0.01915332115053, -0.0001599598378939,
    0.001666619932383, -0.0006326260639734, 0.0001175849672694, -9.250231699708e-06,
)  # fmt: skip


@functools.cache
def functions(lanes: int) -> SimpleNamespace:
    """The functions, each of Vector[lanes] to Vector[lanes]. A NaN stays a NaN unless pow defines otherwise."""
    splat = vectors(lanes).splat
    exp_tail, log_tail, erf_exponent = polynomial(*EXP), polynomial(*LOG), polynomial(*ERF)
    inf = float("inf")
    nan = float("nan")

    @inline
    def maximum(a, b):
        return where_eq(a, a, at_least(a, b), a)

    @inline
    def minimum(a, b):
        return where_eq(a, a, at_most(a, b), a)

    @inline
    def rint(x):
        a = fabs(x)
        whole = where_lt(a, splat(INTEGRAL), a + splat(INTEGRAL) - splat(INTEGRAL), a)
        return where_lt(x, splat(0.0), whole * splat(-1.0), whole)

    @inline
    def floor(x):
        near = rint(x)
        return where_lt(x, near, near - splat(1.0), near)

    @inline
    def ceil(x):
        near = rint(x)
        return where_lt(near, x, near + splat(1.0), near)

    @inline
    def exp_parts(x):
        """n and t with e^x = 2^n (1 + t), for x between EXP_LOW and EXP_HIGH."""
        n = fma(x, splat(LOG2_E), splat(ROUND)) - splat(ROUND)
        r = fma(n, splat(-LN2_LO), fma(n, splat(-LN2_HI), x))
        return n, fma(exp_tail(r), r * r, r)

    @inline
    def exp(x):
        n, t = exp_parts(at_least(splat(EXP_LOW), at_most(splat(EXP_HIGH), x)))
        return scale(t + splat(1.0), n)

    @inline
    def expm1(x):
        """For x below 88."""
        n, t = exp_parts(at_least(splat(-30.0), x))
        whole = scale(splat(1.0), n)
        return fma(t, whole, whole - splat(1.0))

    @inline
    def log_normal(x):
        """log of a positive normal number."""
        e, f = exponent(x), mantissa(x) - splat(1.0)
        f2 = f * f
        tail = fma(f2 * f, log_tail(f), fma(f2, splat(-0.5), e * splat(LN2_LO)))
        return fma(e, splat(LN2_HI), f + tail)

    @inline
    def log(x):
        tiny = x * splat(2.0**24)
        shift = where_lt(x, splat(LEAST_NORMAL), splat(-24.0 * 0.6931471805599453), splat(0.0))
        y = log_normal(where_lt(x, splat(LEAST_NORMAL), tiny, x)) + shift
        y = where_lt(x, splat(inf), y, x)
        y = where_eq(x, splat(0.0), splat(-inf), y)
        return where_lt(x, splat(0.0), splat(nan), y)

    @inline
    def log1p(x):
        """For x in [0, 1]; the second term restores what 1 + x rounds away."""
        w = x + splat(1.0)
        return log_normal(w) + (x - (w - splat(1.0)))

    @inline
    def sigmoid(x):
        return splat(1.0) / (splat(1.0) + exp(x * splat(-1.0)))

    @inline
    def tanh(x):
        t = expm1(at_least(splat(-20.0), at_most(splat(20.0), x + x)))
        return t / (t + splat(2.0))

    @inline
    def erf(x):
        t = at_most(splat(4.0), fabs(x))
        y = expm1(t * erf_exponent(t) * splat(-1.0))
        return where_lt(x, splat(0.0), y, y * splat(-1.0))

    @inline
    def softplus(x):
        """log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)."""
        tail = log1p(exp(fabs(x) * splat(-1.0)))
        return at_least(splat(0.0), x) + tail

    @inline
    def power(x, y):
        """x^y as IEEE 754 has it; the relative error grows with |y log x|."""
        zero, one = splat(0.0), splat(1.0)
        size = where_eq(fabs(x), one, one, exp(y * log(fabs(x))))
        half = y * splat(0.5)
        odd_or_even = where_eq(rint(half), half, size, size * splat(-1.0))
        fraction = where_lt(x, zero, where_lt(fabs(x), splat(inf), splat(nan), size), size)
        sign = where_eq(x, zero, one / x, x)
        negative = where_eq(rint(y), y, odd_or_even, fraction)
        return where_eq(y, zero, one, where_lt(sign, zero, negative, size))

    return SimpleNamespace(
        maximum=maximum, minimum=minimum, rint=rint, floor=floor, ceil=ceil, exp=exp, expm1=expm1, log=log,
        log1p=log1p, sigmoid=sigmoid, tanh=tanh, erf=erf, softplus=softplus, power=power,
    )  # fmt: skip
