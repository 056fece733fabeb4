"""Bases of elementwise operators over several tensors that broadcast."""

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import Activation, finish
from tinycnn.ops.op import ANY_NUMBER, Op, Specs, Values
from tinycnn.ops.shapes import broadcast, same_dtype


@dataclass(frozen=True)
class _Arithmetic(Op):
    """Base: inputs of one dtype, floats or integers, that broadcast as in NumPy; the output has their dtype.

    Integers are computed in their own dtype and wrap around. The activation is what a pass fused; it needs floats.
    """

    arity: ClassVar[tuple[int, int]] = (2, 2)
    dtypes: ClassVar[str] = "fiu"

    activation: Activation | None = None

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        self.operands(inputs)
        specs = [spec for spec in inputs if spec is not None]
        dtype = same_dtype(self.kind, *specs)
        if self.activation and dtype.kind != "f":
            raise ShapeError(f"{self.kind}: the activation {self.activation} is not defined for {dtype.name}")
        return (TensorSpec(broadcast(self.kind, *(spec.dims for spec in specs)), dtype),)

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The operation, on float64 or on integers of one dtype."""
        raise NotImplementedError(self.kind)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        self.required(inputs)
        arrays = [x for x in inputs if x is not None]
        dtype = arrays[0].dtype
        wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in arrays]
        with np.errstate(all="ignore"):
            return (finish(reduce(self.combine, wide), dtype, self.activation),)


class _Variadic(_Arithmetic):
    """Base: the same for one input or more, combined from left to right."""

    arity: ClassVar[tuple[int, int]] = (1, ANY_NUMBER)


class _Comparison(Op):
    """Base: two inputs of one dtype that broadcast as in NumPy, and bool comes out."""

    arity: ClassVar[tuple[int, int]] = (2, 2)
    dtypes: ClassVar[str] = "fiu"

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        a, b = self.operands(inputs)
        same_dtype(self.kind, a, b)
        return (TensorSpec(broadcast(self.kind, a.dims, b.dims), np.dtype(bool)),)

    def compare(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The relation, as bool."""
        raise NotImplementedError(self.kind)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        a, b = self.required(inputs)
        return (np.asarray(self.compare(a, b)),)
