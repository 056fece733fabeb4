"""Windows over every kind of edge, and planes of every size, for pooling."""

from typing import Any

WINDOWS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((1, 3, 6, 9), {"kernel_shape": (2, 2), "strides": (2, 2)}),
    ((2, 17, 11, 13), {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)}),
    ((1, 33, 7, 14), {"kernel_shape": (3, 3), "pads": (1, 1, 1, 1)}),
    ((2, 5, 9, 23), {"kernel_shape": (2, 5), "strides": (3, 1), "pads": (0, 3, 1, 2)}),
    ((1, 4, 12, 19), {"kernel_shape": (3, 2), "strides": (1, 2), "dilations": (2, 3), "pads": (2, 0, 1, 2)}),
    ((1, 7, 8, 10), {"kernel_shape": (3, 3), "strides": (2, 2), "ceil_mode": 1}),
    ((1, 7, 9, 10), {"kernel_shape": (3, 2), "strides": (2, 3), "pads": (1, 0, 0, 1), "ceil_mode": 1}),
    ((3, 2, 1, 1), {"kernel_shape": (1, 1)}),
    ((2, 19, 31), {"kernel_shape": (4,), "strides": (2,), "pads": (1, 2)}),
]
GLOBALS = [(2, 19, 7, 7), (1, 16, 1, 1), (3, 5, 13, 11), (1, 37, 23)]
