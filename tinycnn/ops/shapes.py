"""Rules of shapes that many operators share: axes, broadcasting, dtypes that must agree."""

from collections.abc import Iterable, Sequence

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec

Shape = tuple[int, ...]


def written(shape: Sequence[int]) -> str:
    """A shape as error messages show it."""
    return f"[{', '.join(map(str, shape))}]"


def positive_axis(kind: str, axis: int, rank: int) -> int:
    """The axis counted from the front. Raises ShapeError outside [-rank, rank)."""
    if not -rank <= axis < rank:
        raise ShapeError(f"{kind}: axis {axis} does not exist in a tensor of rank {rank}")
    return axis % rank


def positive_axes(kind: str, axes: Iterable[int], rank: int) -> Shape:
    """As positive_axis, for several. Raises ShapeError when one comes twice."""
    result = tuple(positive_axis(kind, int(axis), rank) for axis in axes)
    if len(set(result)) < len(result):
        raise ShapeError(f"{kind}: an axis comes twice in {written(result)}")
    return result


def broadcast(kind: str, *shapes: Sequence[int]) -> Shape:
    """The shape that NumPy (ONNX "multidirectional") broadcasting gives. Raises ShapeError when there is none."""
    rank = max(map(len, shapes))
    result = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if size != 1:
                if result[axis] not in (1, size):
                    raise ShapeError(f"{kind}: shapes {' and '.join(map(written, shapes))} do not broadcast")
                result[axis] = size
    return tuple(result)


def broadcast_to(kind: str, name: str, shape: Sequence[int], target: Sequence[int]) -> None:
    """Raises ShapeError unless `shape` broadcasts to exactly `target` (ONNX "unidirectional")."""
    pairs = zip(reversed(shape), reversed(target), strict=False)
    if len(shape) > len(target) or any(size not in (1, wanted) for size, wanted in pairs):
        raise ShapeError(f"{kind}: {name} {written(shape)} does not broadcast to {written(target)}")


def same_dtype(kind: str, *specs: TensorSpec | None) -> np.dtype:
    """The dtype of all specs. Raises ShapeError when they differ."""
    dtypes = list(dict.fromkeys(spec.dtype for spec in specs if spec is not None))
    if len(dtypes) > 1:
        raise ShapeError(f"{kind}: inputs of different dtypes: {', '.join(d.name for d in dtypes)}")
    return dtypes[0]


def expect(kind: str, name: str, spec: TensorSpec | None, shape: Sequence[int]) -> None:
    """Raises ShapeError when an input is there and has not this shape."""
    if spec is not None and spec.dims != tuple(shape):
        raise ShapeError(f"{kind}: {name} is {written(spec.dims)}, not {written(shape)}")


def integers(kind: str, name: str, value: np.ndarray) -> list[int]:
    """The elements of an integer input of rank 0 or 1. Raises ShapeError for anything else."""
    if value.dtype.kind not in "iu" or value.ndim > 1:
        raise ShapeError(f"{kind}: {name} must be a list of integers, not {TensorSpec.of(value)}")
    return [int(v) for v in value.reshape(-1)]
