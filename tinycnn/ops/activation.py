"""Elementwise functions of one tensor, and the description by which other operators fuse them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values


def _sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x), by the side on which the exponential cannot overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1.0) / (1 + e)


def _erf(x: np.ndarray) -> np.ndarray:
    return np.array(np.frompyfunc(math.erf, 1, 1)(x), np.float64)


def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _hard_sigmoid(x: np.ndarray, a: float, b: float) -> np.ndarray:
    return np.clip(a * x + b, 0, 1)


def _exponential(x: np.ndarray, a: float) -> np.ndarray:
    """a (e^x - 1) below zero, x above."""
    return np.where(x < 0, a * np.expm1(np.minimum(x, 0)), x)


# name -> f(x, alpha, beta) on float64; NaN stays NaN.
FUNCTIONS: dict[str, Callable[[np.ndarray, float, float], np.ndarray]] = {
    "clamp": lambda x, a, b: np.minimum(np.maximum(x, a), b),
    "leaky_relu": lambda x, a, b: np.where(x < 0, a * x, x),
    "thresholded_relu": lambda x, a, b: np.where(x <= a, 0, x),
    "elu": lambda x, a, b: _exponential(x, a),
    "selu": lambda x, a, b: b * _exponential(x, a),
    "celu": lambda x, a, b: np.where(x < 0, a * np.expm1(np.minimum(x / a, 0)), x),
    "sigmoid": lambda x, a, b: _sigmoid(x),
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": lambda x, a, b: x * _hard_sigmoid(x, 1 / 6, 0.5),
    "swish": lambda x, a, b: x * _sigmoid(x),
    "mish": lambda x, a, b: x * np.tanh(np.logaddexp(0, x)),
    "gelu": lambda x, a, b: 0.5 * x * (1 + _erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x, a, b: _gelu_tanh(x),
    "tanh": lambda x, a, b: np.tanh(x),
    "softplus": lambda x, a, b: np.logaddexp(0, x),
    "softsign": lambda x, a, b: x / (1 + np.abs(x)),
    "exp": lambda x, a, b: np.exp(x),
    "log": lambda x, a, b: np.log(x),
    "sqrt": lambda x, a, b: np.sqrt(x),
    "abs": lambda x, a, b: np.abs(x),
    "neg": lambda x, a, b: -x,
    "sign": lambda x, a, b: np.sign(x),
    "reciprocal": lambda x, a, b: 1 / x,
    "floor": lambda x, a, b: np.floor(x),
    "ceil": lambda x, a, b: np.ceil(x),
    "round": lambda x, a, b: np.rint(x),
    "quantize": lambda x, a, b: np.minimum(np.maximum(np.rint(x), a), b),
    "erf": lambda x, a, b: _erf(x),
}


# Kinds of all operators below `_Elementwise`, for who asks before any is imported.
ELEMENTWISE = tuple(
    "Abs Ceil Celu Clip Elu Erf Exp Floor Gelu HardSigmoid HardSwish LeakyRelu Log Mish Neg PRelu Reciprocal Relu "
    "Round Selu Sigmoid Sign Softplus Softsign Sqrt Swish Tanh ThresholdedRelu".split()
)


@dataclass(frozen=True)
class Activation:
    """A function of one number, named as FUNCTIONS and the kernels know it, with its two parameters.

    clamp(lo, hi), leaky_relu(alpha), thresholded_relu(alpha), elu(alpha), selu(alpha, gamma), celu(alpha),
    hard_sigmoid(alpha, beta), quantize(lo, hi), which rounds before it clamps; the others take none.
    """

    function: str
    alpha: float = 0.0
    beta: float = 0.0

    def __str__(self) -> str:
        return f"{self.function}({self.alpha:g}, {self.beta:g})"

    def apply(self, x: np.ndarray) -> np.ndarray:
        """The function on float64."""
        with np.errstate(all="ignore"):
            return FUNCTIONS[self.function](x, self.alpha, self.beta)


def finish(y: np.ndarray, dtype: np.dtype, activation: Activation | None = None) -> np.ndarray:
    """A float64 result as it is stored: activated, then rounded to `dtype`; what is too large becomes infinite."""
    if activation is not None:
        y = activation.apply(y)
    with np.errstate(all="ignore"):
        return np.asarray(y, dtype)


class _Elementwise(Op):
    """Base: a function of the first input, whose shape and dtype the output has."""

    dtypes: ClassVar[str] = "f"

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        return (self.operands(inputs)[0],)

    def activation(self, *parameters: np.ndarray | None) -> Activation | None:
        """How a kernel applies this operator; None where no `Activation` says it.

        parameters  values of the inputs after the first, None where absent; all that are there must be constants
        """
        return None

    def apply(self, x: np.ndarray) -> np.ndarray:
        """The function, on float64 or, where `dtypes` has them, on integers in their own dtype."""
        activation = self.activation()
        assert activation is not None, self.kind
        return activation.apply(x)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = self.required(inputs)[0]
        return (finish(self.apply(x.astype(np.float64) if x.dtype.kind == "f" else x), x.dtype),)
