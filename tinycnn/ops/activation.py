"""Elementwise functions of one tensor, and the description by which other operators fuse them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.op import Op, Specs, Values


@dataclass(frozen=True)
class Activation:
    """A function of one number, named as the kernels know it, with its two parameters.

    clamp(lo, hi), leaky_relu(alpha), elu(alpha), selu(alpha, gamma), sigmoid, hard_sigmoid(alpha, beta),
    hard_swish, swish, tanh, softplus, ...
    """

    function: str
    alpha: float = 0.0
    beta: float = 0.0

    def __str__(self) -> str:
        return f"{self.function}({self.alpha:g}, {self.beta:g})"


@dataclass(frozen=True)
class _Elementwise(Op):
    """Base: one input, one output of the same shape and dtype."""

    arity: ClassVar[tuple[int, int]] = (1, 1)

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        x = inputs[0]
        if x is None:
            raise ShapeError(f"{self.kind} needs an input")
        return (x,)

    def activation(self, *parameters: np.ndarray | None) -> Activation | None:
        """How a kernel applies this operator; None where its parameters are not constants or not scalars.

        parameters  values of the inputs after the first, None where absent or not constant
        """
        return None

    def apply(self, x: np.ndarray) -> np.ndarray:
        """The function on float64."""
        raise NotImplementedError(self.kind)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        x = inputs[0]
        assert x is not None
        return (self.apply(x.astype(np.float64)).astype(x.dtype),)
