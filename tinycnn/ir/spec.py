"""What is known of a tensor before it exists."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Dim = int | str

NARROW_INTEGERS = {"int4": np.int8, "int2": np.int8, "uint4": np.uint8, "uint2": np.uint8}


@functools.cache
def computed(dtype: np.dtype) -> np.dtype:
    """The dtype in which values of a dtype are computed: floats of 16 bits and fewer in f32, integers of fewer than 8
    in 8, all else as it is. The dtypes that NumPy lacks are those of the package ml_dtypes.
    """
    if dtype == np.float16 or dtype.name.startswith(("bfloat16", "float8_", "float6_", "float4_")):
        return np.dtype(np.float32)
    return np.dtype(NARROW_INTEGERS.get(dtype.name, dtype))


@dataclass(frozen=True)
class TensorSpec:
    """Shape and dtype of a tensor.

    shape  sizes in elements; a str is a symbol that a feed will bind; None: not even the rank is known
    dtype  NumPy dtype; object: strings or, where the shape is None, anything: a sequence, an optional value, a tensor
           that is not known before it is computed
    """

    shape: tuple[Dim, ...] | None
    dtype: np.dtype

    @classmethod
    def unknown(cls) -> "TensorSpec":
        """Of a value of which nothing is known before it exists."""
        return cls(None, np.dtype(object))

    @classmethod
    def of(cls, array: np.ndarray) -> "TensorSpec":
        return cls(array.shape, array.dtype)

    @classmethod
    def f32(cls, *shape: Dim) -> "TensorSpec":
        return cls(shape, np.dtype(np.float32))

    @property
    def is_unknown(self) -> bool:
        return self.shape is None and self.dtype == object

    @property
    def is_static(self) -> bool:
        return self.shape is not None and all(isinstance(d, int) for d in self.shape)

    @functools.cached_property
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
