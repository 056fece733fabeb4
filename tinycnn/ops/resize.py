"""Resize: a tensor sampled at other positions along its axes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ir import TensorSpec
from tinycnn.ops.activation import finish
from tinycnn.ops.op import Op, Specs, Values
from tinycnn.ops.shapes import Shape, integers, positive_axes, written


@dataclass(frozen=True)
class Axis:
    """How one axis is resized: from `size` elements to `out`, at `scale`; start and end are its region of interest.

    length is size * scale before it is rounded down to `out`, where scales give no whole size; else 0.
    """

    size: int
    out: int
    scale: float | np.floating
    start: float | np.floating = 0.0
    end: float | np.floating = 1.0
    length: float | np.floating = 0.0

    @property
    def last(self) -> float | np.floating:
        """The position, among output elements, that falls on the last element where ends are aligned."""
        return (self.length or self.out) - 1


def _stretched(x: np.ndarray, a: Axis) -> np.ndarray:
    """The ends of the region of interest on the first and last element."""
    length = a.size - 1
    if a.last == 0:
        return np.full_like(x, 0.5 * (a.start + a.end) * length)
    return a.start * length + x * (a.end - a.start) * length / a.last


# coordinate_transformation_mode -> position in the input of output positions x
COORDINATES: dict[str, Callable[[np.ndarray, Axis], np.ndarray]] = {
    "half_pixel": lambda x, a: (x + 0.5) / a.scale - 0.5,
    "half_pixel_symmetric": lambda x, a: a.size / 2 * (1 - a.out / (a.scale * a.size)) + (x + 0.5) / a.scale - 0.5,
    "pytorch_half_pixel": lambda x, a: (x + 0.5) / a.scale - 0.5 if a.out > 1 else 0 * x,
    "align_corners": lambda x, a: x * (a.size - 1) / a.last if a.out > 1 else 0 * x,
    "asymmetric": lambda x, a: x / a.scale,
    "tf_half_pixel_for_nn": lambda x, a: (x + 0.5) / a.scale,
    "tf_crop_and_resize": _stretched,
}

NEAREST: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _linear(distance: np.ndarray, a: float) -> np.ndarray:
    return np.maximum(1 - distance, 0)


def _cubic(d: np.ndarray, a: float) -> np.ndarray:
    """Keys, Cubic convolution interpolation (1981), equation 4, with a for -1/2."""
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


# mode -> weight of an element at this distance, and the distance from where on it is 0
FILTERS: dict[str, tuple[Callable[[np.ndarray, float], np.ndarray], int]] = {
    "linear": (_linear, 1),
    "cubic": (_cubic, 2),
}

POLICIES: dict[str, Callable[[list[float]], float] | None] = {"stretch": None, "not_larger": min, "not_smaller": max}


@dataclass(frozen=True)
class Resize(Op):
    """x interpolated at the positions that the attributes define, separately along each axis.

    Inputs
        x       any shape; any dtype in mode "nearest", else floats
        roi     floats [2 * axes], starts then ends, for "tf_crop_and_resize" alone
        scales  float32 [axes]: an axis becomes floor(size * scale)
        sizes   integers [axes]: the new sizes, or bounds for them under keep_aspect_ratio_policy
                Exactly one of scales and sizes; an empty tensor counts as absent.
    Output
        y       x's rank and dtype

    mode "nearest", "linear" or "cubic"; elements outside x count as its nearest, or not at all with exclude_outside.
    In mode "nearest" positions are computed in float32, so that halves fall to the side where onnxruntime puts them.
    "align_corners" and "tf_crop_and_resize" align with size * scale elements, even if that is no whole number, as the
    onnx package's tests have it; onnxruntime takes the size of y.
    Raises ShapeError for attributes that do not exist and for antialias, whose borders ONNX leaves open.

    Source: ONNX Resize, opset 19, and "tf_half_pixel_for_nn" of opset 11.
    """

    arity: ClassVar[tuple[int, int]] = (1, 4)

    mode: str = "nearest"
    coordinate_transformation_mode: str = "half_pixel"
    nearest_mode: str = "round_prefer_floor"
    cubic_coeff_a: float = -0.75
    exclude_outside: int = 0
    extrapolation_value: float = 0.0
    axes: Shape = ()
    antialias: int = 0
    keep_aspect_ratio_policy: str = "stretch"

    def check(self, dtype: np.dtype) -> None:
        """Raises ShapeError for attributes that do not exist, or not for this dtype."""
        for name, value, known in (
            ("mode", self.mode, ("nearest", *FILTERS)),
            ("coordinate_transformation_mode", self.coordinate_transformation_mode, COORDINATES),
            ("nearest_mode", self.nearest_mode, NEAREST),
            ("keep_aspect_ratio_policy", self.keep_aspect_ratio_policy, POLICIES),
        ):
            if value not in known:
                raise ShapeError(f"Resize: {name} must be one of {', '.join(known)}, not {value!r}")
        if self.antialias:
            raise ShapeError("Resize: antialias is not supported")
        if self.mode != "nearest" and dtype.kind != "f":
            raise ShapeError(f"Resize: mode {self.mode!r} is not supported for {dtype.name}")

    def plan(self, x: Shape, *inputs: np.ndarray | None) -> list[Axis]:
        """What becomes of each axis of x; inputs are roi, scales and sizes."""
        roi, scales, sizes = (v if v is not None and v.size else None for v in inputs)
        which = positive_axes(self.kind, self.axes or range(len(x)), len(x))
        given = scales if scales is not None else sizes
        if (scales is None) == (sizes is None) or given is None or given.shape != (len(which),):
            raise ShapeError(f"Resize needs either scales or sizes, {len(which)} of them for {written(x)}")
        resized = self.scaled(x, which, scales) if scales is not None else self.sized(x, which, given)
        cropping = self.coordinate_transformation_mode == "tf_crop_and_resize"
        if cropping and (roi is None or roi.shape != (2 * len(which),)):
            raise ShapeError(f"Resize: tf_crop_and_resize needs a roi of {2 * len(which)} numbers")
        plan = [Axis(size, size, 1.0) for size in x]
        for i, (axis, (out, scale, length)) in enumerate(zip(which, resized, strict=True)):
            region = (float(roi[i]), float(roi[i + len(which)])) if cropping and roi is not None else (0.0, 1.0)
            plan[axis] = Axis(x[axis], out, scale, *region, length)
        if any(a.out < 0 or (a.out > 0 and a.size == 0) for a in plan):
            raise ShapeError(f"Resize: {written(x)} cannot become {written([a.out for a in plan])}")
        return plan

    def scaled(self, x: Shape, which: Shape, scales: np.ndarray) -> list[tuple[int, float, float]]:
        """(size, scale, length) of each resized axis, from scales."""
        if not (np.isfinite(scales) & (scales > 0)).all():
            raise ShapeError(f"Resize: scales must be positive, not {scales.tolist()}")
        exact = [np.float32(x[axis]) * np.float32(scale) for axis, scale in zip(which, scales, strict=True)]
        lengths = [0.0 if size == np.floor(size) else float(size) for size in exact]
        return [(int(s), float(scale), length) for s, scale, length in zip(exact, scales, lengths, strict=True)]

    def sized(self, x: Shape, which: Shape, sizes: np.ndarray) -> list[tuple[int, float, float]]:
        """(size, scale, 0) of each resized axis, from sizes."""
        wish = integers(self.kind, "sizes", sizes)
        ratios = [size / max(x[axis], 1) for axis, size in zip(which, wish, strict=True)]
        policy = POLICIES[self.keep_aspect_ratio_policy]
        if policy is None:
            return [(size, ratio, 0.0) for size, ratio in zip(wish, ratios, strict=True)]
        scale = policy(ratios)
        return [(int(np.floor(scale * x[axis] + 0.5)), scale, 0.0) for axis in which]

    def infer(self, inputs: Specs, values: Values) -> tuple[TensorSpec, ...] | None:
        (x,) = self.operands(inputs)
        self.check(x.dtype)
        known = self.optional(values)
        unknown = [
            spec is not None and spec.size and v is None for spec, v in zip(self.optional(inputs), known, strict=True)
        ]
        if self.coordinate_transformation_mode != "tf_crop_and_resize":
            unknown[0] = False
        return None if any(unknown) else (x.with_shape([a.out for a in self.plan(x.dims, *known)]),)

    def positions(self, axis: Axis) -> np.ndarray:
        """Where in the input the output elements of an axis are; fractional."""
        real = np.float32 if self.mode == "nearest" else np.float64
        scale, start, end, length = (real(v) for v in (axis.scale, axis.start, axis.end, axis.length))
        numbers = Axis(axis.size, axis.out, scale, start, end, length)
        return COORDINATES[self.coordinate_transformation_mode](np.arange(axis.out, dtype=real), numbers)

    def nearest(self, axis: Axis) -> np.ndarray:
        """int64 [out]: which input element of an axis each output element is, in mode "nearest"."""
        return np.clip(NEAREST[self.nearest_mode](self.positions(axis)).astype(np.int64), 0, axis.size - 1)

    def matrix(self, axis: Axis) -> np.ndarray:
        """float64 [out, size]: by how much each input element of an axis counts in each output element."""
        weights = np.zeros((axis.out, axis.size))
        rows, at = np.arange(axis.out), self.positions(axis)
        kernel, reach = FILTERS[self.mode]
        first = np.floor(at).astype(np.int64)
        for offset in range(1 - reach, reach + 1):
            index = first + offset
            weight = kernel(np.abs(index - at), self.cubic_coeff_a)
            if self.exclude_outside:
                weight = np.where((index < 0) | (index >= axis.size), 0, weight)
            weights[rows, np.clip(index, 0, axis.size - 1)] += weight
        return weights / weights.sum(1, keepdims=True) if self.exclude_outside else weights

    def reference(self, *inputs: np.ndarray | None) -> tuple[np.ndarray, ...]:
        (x,) = self.required(inputs)
        y = x if self.mode == "nearest" else x.astype(np.float64)
        plan = self.plan(x.shape, *self.optional(inputs))
        for number, axis in enumerate(plan):
            if axis == Axis(axis.size, axis.size, 1.0):
                continue
            if self.mode == "nearest":
                y = y.take(self.nearest(axis), number)
            else:
                y = np.moveaxis(np.tensordot(self.matrix(axis), y, (1, number)), 0, number)
        y = finish(y, x.dtype)
        return (self.extrapolated(y, plan),) if self.coordinate_transformation_mode == "tf_crop_and_resize" else (y,)

    def extrapolated(self, y: np.ndarray, plan: list[Axis]) -> np.ndarray:
        """y with extrapolation_value where a position is outside the input."""
        for number, axis in enumerate(plan):
            at = self.positions(axis)
            outside = ((at < 0) | (at > axis.size - 1)).reshape(-1, *[1] * (y.ndim - 1 - number))
            y = np.where(outside, np.asarray(self.extrapolation_value, y.dtype), y)
        return y
