"""Windows that slide over spatial axes: the arithmetic of convolutions and pools."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ops.shapes import Shape, written


@dataclass(frozen=True)
class Window:
    """One entry an axis. An input axis is padded by `begins` and `ends` elements."""

    kernel: Shape
    strides: Shape
    begins: Shape
    ends: Shape
    dilations: Shape

    @property
    def extents(self) -> Shape:
        """Input elements from the first tap to the last, both included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def taps(self) -> Iterator[Shape]:
        return itertools.product(*map(range, self.kernel))

    def outputs(self, kind: str, sizes: Shape, ceil_mode: bool = False) -> Shape:
        """Positions an axis. With ceil_mode a last position may reach beyond the padded input, if it starts before
        the end padding.

        Raises ShapeError when an axis has no position.
        """
        result = []
        for size, extent, s, begin, end in zip(sizes, self.extents, self.strides, self.begins, self.ends, strict=True):
            room = size + begin + end - extent
            count = (-(-room // s) if ceil_mode else room // s) + 1
            if ceil_mode and (count - 1) * s >= size + begin:
                count -= 1
            if room < 0 or count < 1:
                raise ShapeError(
                    f"{kind}: a window of extent {written(self.extents)} does not fit into input {written(sizes)} "
                    f"padded by {written(self.begins)} and {written(self.ends)}"
                )
            result.append(count)
        return tuple(result)

    def pad(self, x: np.ndarray, outputs: Shape, value: float) -> np.ndarray:
        """x [n, c, *spatial], padded by `value` as far as the windows at `outputs` positions reach."""
        ends = [
            max((o - 1) * s + extent - begin - size, 0)
            for o, s, extent, begin, size in zip(
                outputs, self.strides, self.extents, self.begins, x.shape[2:], strict=True
            )
        ]
        return np.pad(x, [(0, 0), (0, 0), *zip(self.begins, ends, strict=True)], constant_values=value)

    def at(self, tap: Shape, outputs: Shape) -> tuple[slice, ...]:
        """Where the windows at all positions have this tap: an index into the padded [n, c, *spatial]."""
        spatial = (
            slice(t * d, t * d + (o - 1) * s + 1, s)
            for t, d, s, o in zip(tap, self.dilations, self.strides, outputs, strict=True)
        )
        return (slice(None), slice(None), *spatial)

    def counts(self, sizes: Shape, outputs: Shape, padding: bool) -> np.ndarray:
        """How many taps of the window at each position [*outputs] are inside the input, or the padded input."""
        result = np.ones((), np.int64)
        for axis, (k, s, begin, end, d) in enumerate(
            zip(self.kernel, self.strides, self.begins, self.ends, self.dilations, strict=True)
        ):
            at = np.arange(outputs[axis])[:, None] * s - begin + np.arange(k) * d
            low, high = (-begin, sizes[axis] + end) if padding else (0, sizes[axis])
            result = result[..., None] * ((at >= low) & (at < high)).sum(1)
        return result


def window(
    kind: str, kernel: Shape, spatial: int, strides: Shape = (), pads: Shape = (), dilations: Shape = ()
) -> Window:
    """The window of ONNX attributes, empty ones meaning strides and dilations of 1 and no padding.

    pads holds the begins, then the ends. Raises ShapeError unless there is one entry for each of the `spatial` axes
    and the entries make sense.
    """
    strides, dilations = strides or (1,) * spatial, dilations or (1,) * spatial
    pads = pads or (0,) * (2 * spatial)
    if spatial < 1:
        raise ShapeError(f"{kind} needs an input with spatial axes [n, c, ...]")
    for name, values, count, least in (
        ("the kernel", kernel, spatial, 1),
        ("strides", strides, spatial, 1),
        ("dilations", dilations, spatial, 1),
        ("pads", pads, 2 * spatial, 0),
    ):
        if len(values) != count or min(values) < least:
            raise ShapeError(
                f"{kind}: {name} must be {count} integers of at least {least} for an input with {spatial} spatial "
                f"axes, not {written(values)}"
            )
    return Window(tuple(kernel), tuple(strides), tuple(pads[:spatial]), tuple(pads[spatial:]), tuple(dilations))
