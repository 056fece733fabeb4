"""Routines that apply one elementwise function in place to what another kernel has just stored."""

import functools
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinycnn.kernels.cpu.isa import ISAS
from tinycnn.kernels.kernel import Kernel, Range, fields
from tinycnn.kernels.lowering import Emitter
from tinycnn.ops.activation import Activation

NAMES = (
    "clamp", "leaky_relu", "elu", "selu", "celu", "sigmoid", "hard_sigmoid", "hard_swish", "swish", "tanh", "softplus",
    "softsign", "exp", "log", "sqrt", "abs", "neg", "reciprocal", "floor", "ceil", "round", "erf", "gelu", "gelu_tanh",
    "mish", "thresholded_relu", "sign", "quantize",
)  # fmt: skip


def formulas(lanes: int) -> dict[str, Callable[..., Any]]:
    """name -> f(x, a, b) on vectors, a and b being the parameters `alpha` and `beta` of `Activation`."""
    from tinycnn.kernels.cpu.simd import at_least, at_most, fabs, fma, sqrt, vectors, where_le, where_lt
    from tinycnn.kernels.cpu.vmath import functions

    v, splat = functions(lanes), vectors(lanes).splat
    exp, expm1, log, erf, tanh, sigmoid, softplus = v.exp, v.expm1, v.log, v.erf, v.tanh, v.sigmoid, v.softplus
    rint, floor, ceil = v.rint, v.floor, v.ceil

    def mish(x, a, b):
        """tanh(softplus(x)) = n / (n + 2) with n = e^x (e^x + 2)."""
        e = exp(at_most(splat(20.0), x))
        n = e * (e + splat(2.0))
        return x * (n / (n + splat(2.0)))

    def gelu_tanh(x, a, b):
        """x (1 + tanh z) / 2 = x sigmoid(2 z) with z = sqrt(2 / pi) (x + 0.044715 x^3)."""
        z = x * fma(x * x, splat(-0.07135481627159922), splat(-1.5957691216057308))
        return x / (splat(1.0) + exp(z))

    return {
        "clamp": lambda x, a, b: at_most(b, at_least(a, x)),
        "leaky_relu": lambda x, a, b: where_lt(x, splat(0.0), a * x, x),
        "elu": lambda x, a, b: where_lt(x, splat(0.0), a * expm1(at_most(splat(0.0), x)), x),
        "selu": lambda x, a, b: b * where_lt(x, splat(0.0), a * expm1(at_most(splat(0.0), x)), x),
        "celu": lambda x, a, b: where_lt(x, splat(0.0), a * expm1(at_most(splat(0.0), x / a)), x),
        "sigmoid": lambda x, a, b: sigmoid(x),
        "hard_sigmoid": lambda x, a, b: at_most(splat(1.0), at_least(splat(0.0), fma(a, x, b))),
        "hard_swish": lambda x, a, b: (
            x * at_most(splat(1.0), at_least(splat(0.0), fma(x, splat(1.0 / 6.0), splat(0.5))))
        ),
        "swish": lambda x, a, b: x / (splat(1.0) + exp(x * splat(-1.0))),
        "tanh": lambda x, a, b: tanh(x),
        "softplus": lambda x, a, b: softplus(x),
        "softsign": lambda x, a, b: x / (splat(1.0) + fabs(x)),
        "exp": lambda x, a, b: exp(x),
        "log": lambda x, a, b: log(x),
        "sqrt": lambda x, a, b: sqrt(x),
        "abs": lambda x, a, b: fabs(x),
        "neg": lambda x, a, b: x * splat(-1.0),
        "reciprocal": lambda x, a, b: splat(1.0) / x,
        "floor": lambda x, a, b: floor(x),
        "ceil": lambda x, a, b: ceil(x),
        "round": lambda x, a, b: rint(x),
        "quantize": lambda x, a, b: at_most(b, at_least(a, rint(x))),
        "erf": lambda x, a, b: erf(x),
        "gelu": lambda x, a, b: splat(0.5) * x * (splat(1.0) + erf(x * splat(0.7071067811865476))),
        "gelu_tanh": gelu_tanh,
        "mish": mish,
        "thresholded_relu": lambda x, a, b: where_le(x, a, splat(0.0), x),
        "sign": lambda x, a, b: where_lt(x, splat(0.0), splat(-1.0), where_lt(splat(0.0), x, splat(1.0), x)),
    }


@functools.cache
def function(name: str, isa: str) -> Kernel:
    """The routine of `Activation.function`: body(alpha, beta, address, count) on `count` f32 at `address`."""
    if name not in NAMES:
        raise KeyError(name)
    lanes = ISAS[isa].lanes

    def build() -> Callable[..., Any]:
        from tinycnn.kernels.cpu.simd import inline, store, store_part, vectors

        v = vectors(lanes)
        load, load_part, splat = v.load, v.load_part, v.splat
        f = inline(formulas(lanes)[name])

        def body(alpha, beta, address, count):
            a, b = splat(alpha), splat(beta)
            rest = count % lanes
            stop = address + 4 * (count - rest)
            while address < stop:
                store(address, f(load(address), a, b))
                address += 4 * lanes
            if rest > 0:
                store_part(address, rest, f(load_part(address, rest), a, b))

        return body

    return Kernel(f"activation_{name}_f32__{isa}", fields("alpha:f32 beta:f32"), build, nothing, isa)


def nothing(row: SimpleNamespace) -> Iterable[Range]:
    """A routine touches what its caller has declared."""
    return ()


def routine(e: Emitter, activation: Activation | None, isa: str) -> dict[str, Any]:
    """Values of the fields `act:code act_args:addr` of a kernel that calls the function, zeros for none."""
    if activation is None:
        return {"act": 0, "act_args": 0}
    slots = np.zeros(2, np.int64)
    slots.view(np.float32)[0::2] = activation.alpha, activation.beta
    return {"act": function(activation.function, isa), "act_args": e.table(slots)}


def kernels(isa: str) -> Iterable[Kernel]:
    return [function(name, isa) for name in NAMES]
