"""Base of the reductions over some axes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, integers, positive_axes


@dataclass(frozen=True)
class _Reduce(Op):
    """Base: x reduced over axes, which become of size 1, or vanish without keepdims.

    Inputs
        x     floats or integers (in their own dtype) of any shape
        axes  integers, optional. None, or an empty list: all axes, or with noop_with_empty_axes no axis at all
    Output
        y     in the dtype of x
    """

    arity: ClassVar[tuple[int, int]] = (1, 2)
    dtypes: ClassVar[str] = "fiu"

    keepdims: int = 1
    noop_with_empty_axes: int = 0

    def axes(self, rank: int, axes: np.ndarray | None) -> Shape:
        """The axes to reduce."""
        given = [] if axes is None else integers(self.kind, "axes", axes)
        if not given and not self.noop_with_empty_axes:
            return tuple(range(rank))
        return positive_axes(self.kind, given, rank)

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        (spec,), (axes,) = self.optional(inputs), self.optional(values)
        if spec is not None and axes is None:
            return None
        reduced = self.axes(x.rank, axes)
        sizes = [1 if axis in reduced else size for axis, size in enumerate(x.dims)]
        return (x.with_shape([n for axis, n in enumerate(sizes) if self.keepdims or axis not in reduced]),)

    def reduce(self, x: np.ndarray, axes: Shape) -> np.ndarray:
        """The reduction of float64 or integers, axes kept with size 1."""
        raise NotImplementedError(self.kind)

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        axes = self.axes(x.ndim, self.optional(inputs)[0])
        with np.errstate(all="ignore"):
            y = finish(self.reduce(x.astype(np.float64) if x.dtype.kind == "f" else x, axes), x.dtype)
        return (y if self.keepdims else y.reshape([n for axis, n in enumerate(y.shape) if axis not in axes]),)


def least(dtype: np.dtype) -> float:
    """What no element of this dtype is below."""
    return -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else int(np.iinfo(dtype).min)


def greatest(dtype: np.dtype) -> float:
    """What no element of this dtype is above."""
    return np.inf if dtype.kind == "f" else True if dtype.kind == "b" else int(np.iinfo(dtype).max)
