"""What is known of a tensor before it exists."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Dim = int | str


@dataclass(frozen=True)
class TensorSpec:
    """Shape and dtype of a tensor.

    shape  sizes in elements; a str is a symbol that a feed will bind; None: not even the rank is known
    dtype  NumPy dtype
    """

    shape: tuple[Dim, ...] | None
    dtype: np.dtype

    @classmethod
    def of(cls, array: np.ndarray) -> "TensorSpec":
        return cls(array.shape, array.dtype)

    @classmethod
    def f32(cls, *shape: Dim) -> "TensorSpec":
        return cls(shape, np.dtype(np.float32))

    @property
    def is_static(self) -> bool:
        return self.shape is not None and all(isinstance(d, int) for d in self.shape)

    @property
    def dims(self) -> tuple[int, ...]:
        """The shape, all of it known."""
        assert self.shape is not None
        return tuple(d for d in self.shape if isinstance(d, int))

    @property
    def rank(self) -> int:
        assert self.shape is not None
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.dims)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def with_shape(self, shape: Sequence[Dim]) -> "TensorSpec":
        return TensorSpec(tuple(shape), self.dtype)

    def __str__(self) -> str:
        shape = "?" if self.shape is None else "x".join(map(str, self.shape)) or "scalar"
        return f"{self.dtype.name}[{shape}]"
