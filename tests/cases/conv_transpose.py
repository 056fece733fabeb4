"""Transposed convolutions with ugly shapes."""

import numpy as np

from tinycnn.ops.activation import Activation

RELU = Activation("clamp", 0.0, np.inf)
# x, w [ci, co / group, *kernel], attributes
CASES = [
    ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    ((2, 3, 7, 5), (3, 19, 3, 3), {"pads": (1, 1, 1, 1)}),
    ((1, 17, 6, 9), (17, 18, 2, 2), {"strides": (2, 2), "activation": RELU}),
    ((1, 19, 5, 8), (19, 33, 4, 4), {"strides": (2, 2), "pads": (1, 1, 1, 1)}),
    ((2, 5, 4, 7), (5, 9, 3, 5), {"strides": (2, 3), "pads": (0, 2, 1, 1), "output_padding": (1, 2)}),
    ((1, 7, 6, 5), (7, 4, 3, 2), {"strides": (3, 1), "dilations": (2, 3), "pads": (2, 0, 0, 1)}),
    ((1, 4, 3, 3), (4, 3, 3, 3), {"strides": (2, 2), "dilations": (2, 2)}),
    ((1, 6, 3, 4), (6, 5, 1, 1), {"strides": (2, 3), "output_padding": (1, 0)}),
    ((1, 12, 5, 6), (12, 5, 3, 3), {"strides": (2, 2), "group": 3, "activation": Activation("hard_swish")}),
    ((2, 10, 4, 3), (10, 1, 4, 4), {"strides": (2, 2), "pads": (1, 1, 1, 1), "group": 10}),
    ((1, 2, 1, 2), (2, 3, 2, 7), {"strides": (5, 4), "pads": (0, 3, 0, 4)}),
    ((2, 8, 21), (8, 6, 5), {"strides": (3,), "pads": (2, 1)}),
    ((1, 2, 1, 3), (2, 3, 2, 1), {"strides": (1 << 62, 5), "dilations": (1, 1 << 62)}),
]
