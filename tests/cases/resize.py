"""Every rule by which images are made larger and smaller."""

from collections.abc import Sequence

import numpy as np

COORDINATES = [
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_half_pixel_for_nn",
]
NEAREST = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
SCALES = [((1, 3, 8, 9), (1, 1, 2, 2)), ((2, 5, 11), (1, 1, 2.5)), ((1, 17, 1, 1), (1, 1, 3, 4))]
# What kernels do not take: (attributes, sizes).
OTHERS = [({"mode": "cubic"}, (1, 3, 8, 9)), ({}, (1, 6, 4, 5)), ({"mode": "linear"}, (2, 3, 4, 5))]


def inputs(
    x: np.ndarray, scales: Sequence[float] | None = None, sizes: Sequence[int] | None = None
) -> list[np.ndarray | None]:
    """Of a Resize: x, no region, and scales or sizes."""
    return [
        x,
        None,
        None if scales is None else np.array(scales, np.float32),
        None if sizes is None else np.array(sizes, np.int64),
    ]
