"""Operators that only move elements: (operator, attributes, shapes of what is moved, parameters, offers on the CPU)."""

import numpy as np


def ints(*values):
    return np.array(values, np.int64)


CASES = [
    ("Transpose", {"perm": (0, 2, 3, 1)}, [(2, 17, 5, 7)], [], 1),
    ("Transpose", {"perm": (0, 3, 1, 2)}, [(1, 19, 33, 3)], [], 1),
    ("Transpose", {"perm": (0, 1, 3, 2)}, [(2, 5, 6, 9)], [], 2),
    ("Transpose", {"perm": (0, 2, 1)}, [(1, 1, 13)], [], 1),
    ("Slice", {}, [(2, 9, 8, 11)], [ints(1, 2), ints(8, 100), ints(2, 3), ints(2, 3)], 2),
    ("Slice", {}, [(2, 9, 8, 11)], [ints(-1, 3), ints(-100, 30), ints(3, 1), ints(-2, 1)], 1),
    ("Slice", {}, [(1, 70, 3, 4)], [ints(18), ints(61), ints(1)], 2),
    ("Slice", {}, [(1, 70, 3, 4)], [ints(0), ints(70), ints(1), ints(3)], 2),
    ("Slice", {}, [(7,)], [ints(5), ints(1), ints(0), ints(-1)], 1),
    ("Split", {"axis": 1}, [(2, 45, 3, 5)], [ints(16, 7, 22)], 2),
    ("Split", {"axis": 1, "num_outputs": 2}, [(1, 32, 4, 5)], [None], 2),
    ("Split", {"axis": -1, "num_outputs": 3}, [(2, 5, 3, 8)], [None], 2),
    ("Concat", {"axis": 1}, [(1, 16, 3, 5), (1, 32, 3, 5), (1, 5, 3, 5)], None, 2),
    ("Concat", {"axis": 1}, [(2, 7, 3, 5), (2, 58, 3, 5), (2, 20, 3, 5), (2, 3, 3, 5)], None, 2),
    ("Concat", {"axis": 1}, [(1, 40, 37), (1, 9, 37)], None, 2),
    ("Concat", {"axis": 2}, [(1, 3, 2, 5), (1, 3, 7, 5)], None, 2),
    ("Concat", {"axis": 0}, [(1, 3, 2, 5), (3, 3, 2, 5)], None, 2),
    ("Concat", {"axis": 1}, [(2, 1, 3)] * 34, None, 2),
    ("Split", {"axis": 1, "num_outputs": 34}, [(2, 34, 3)], [None], 2),
    ("Pad", {}, [(1, 5, 6, 7)], [ints(0, 0, 1, 2, 0, 0, 3, 0), np.float32(-0.5)], 2),
    ("Pad", {}, [(1, 5, 6, 7)], [ints(0, 2, 1, 0, 0, 1, -2, 4)], 1),
    ("Pad", {"mode": "reflect"}, [(2, 5, 6, 7)], [ints(2, 3, 1, 4), None, ints(2, 3)], 2),
    ("Pad", {"mode": "edge"}, [(2, 5, 6, 7)], [ints(0, 2, 1, 3, 0, 1, 2, 0)], 1),
    ("Pad", {"mode": "wrap"}, [(2, 5, 6, 7)], [ints(0, 0, 1, 3, 0, 0, 2, 7)], 2),
    ("Expand", {}, [(3, 1, 5)], [ints(2, 3, 4, 5)], 1),
    ("Expand", {}, [(1, 19, 1, 1)], [ints(2, 19, 4, 5)], 2),
    ("Tile", {}, [(2, 3, 5)], [ints(2, 1, 3)], 1),
    ("Gather", {"axis": 1}, [(2, 33, 3, 4)], [ints(5, 6, 7, 30, -1, 0, 0)], 2),
    ("Gather", {"axis": 2}, [(2, 19, 6, 4)], [ints(0, 2, 4)], 2),
    ("Gather", {"axis": 0}, [(5, 3)], [np.array(-2)], 1),
    ("Gather", {"axis": 1}, [(3, 7, 2)], [ints(1, 0, 3, 6).reshape(2, 2)], 1),
    ("DepthToSpace", {"blocksize": 3}, [(2, 18, 5, 7)], [], 1),
    ("DepthToSpace", {"blocksize": 2, "mode": "CRD"}, [(1, 12, 5, 17)], [], 1),
    ("SpaceToDepth", {"blocksize": 2}, [(2, 3, 6, 10)], [], 1),
    ("SpaceToDepth", {"blocksize": 3, "mode": "CRD"}, [(1, 5, 6, 9)], [], 1),
    ("ChannelShuffle", {"group": 2}, [(2, 116, 3, 5)], [], 2),
    ("ChannelShuffle", {"group": 2}, [(1, 48, 17, 19)], [], 2),
    ("ChannelShuffle", {"group": 3}, [(1, 60, 3, 5)], [], 2),
    ("ChannelShuffle", {"group": 2}, [(3, 6)], [], 1),
    ("Identity", {}, [(2, 3, 4, 5)], [], 2),
    ("Reshape", {}, [(2, 3, 4, 5)], [ints(0, -1)], 1),
    ("Reshape", {}, [(2, 3, 4, 5)], [ints(2, 3, 4, 5)], 2),
    ("Flatten", {}, [(2, 64, 1, 1)], [], 2),
    ("Flatten", {}, [(2, 65, 1, 1)], [], 1),
    ("Unsqueeze", {}, [(2, 64)], [ints(2, 3)], 2),
    ("Squeeze", {}, [(2, 5, 1, 1)], [ints(2, 3)], 1),
]
