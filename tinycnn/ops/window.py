"""Windows that slide over spatial axes: the arithmetic of convolutions and pools."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tinycnn.errors import ShapeError
from tinycnn.ops.shapes import Shape, written

SAME = ("SAME_UPPER", "SAME_LOWER")


@dataclass(frozen=True)
class Window:
    """One entry an axis. An input axis is padded by `begins` and `ends` elements."""

    kernel: Shape
    strides: Shape
    begins: Shape
    ends: Shape
    dilations: Shape

    @property
    def pads(self) -> Shape:
        """The begins, then the ends."""
        return (*self.begins, *self.ends)

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


def split_pads(totals: Iterable[int], auto_pad: str) -> Shape:
    """Begins, then ends, of paddings that are `totals` elements in all: an odd element goes to the end for SAME_UPPER,
    else to the begin."""
    totals = tuple(totals)
    small, large = (t // 2 for t in totals), (t - t // 2 for t in totals)
    return (*small, *large) if auto_pad == "SAME_UPPER" else (*large, *small)


def window(
    kind: str,
    kernel: Shape,
    sizes: Shape,
    strides: Shape = (),
    pads: Shape = (),
    dilations: Shape = (),
    auto_pad: str = "NOTSET",
) -> Window:
    """The window of ONNX attributes, empty ones meaning strides and dilations of 1 and no padding.

    pads holds the begins, then the ends; auto_pad SAME_UPPER or SAME_LOWER takes their place: as much padding as gives
    ceil(size / stride) positions. Raises ShapeError unless there is one entry for each spatial axis, whose `sizes` the
    input has, and the entries make sense.
    """
    spatial = len(sizes)
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
    if auto_pad != "NOTSET":
        if auto_pad not in SAME or any(pads):
            raise ShapeError(f"{kind}: auto_pad {auto_pad!r} and pads {written(pads)} contradict each other")
        axes = zip(sizes, kernel, strides, dilations, strict=True)
        pads = split_pads((max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0) for n, k, s, d in axes), auto_pad)
    return Window(tuple(kernel), tuple(strides), tuple(pads[:spatial]), tuple(pads[spatial:]), tuple(dilations))
