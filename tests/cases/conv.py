"""Convolutions with ugly shapes, for every family of kernels: each takes those that it can."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinycnn.ops import REGISTRY
from tinycnn.ops.activation import Activation
from tinycnn.ops.op import Op


@dataclass(frozen=True)
class ConvCase:
    """A Conv of x [n, ci, *spatial] with w [co, ci / group, *kernel]."""

    x: tuple[int, ...]
    w: tuple[int, ...]
    strides: tuple[int, ...] = ()
    pads: tuple[int, ...] = ()
    dilations: tuple[int, ...] = ()
    group: int = 1
    bias: bool = True
    residual: bool = False
    activation: Activation | None = None

    def __str__(self) -> str:
        parts = ["x".join(map(str, self.x)), "x".join(map(str, self.w))]
        for letter, values in zip("spd", (self.strides, self.pads, self.dilations), strict=True):
            parts += [letter + "".join(map(str, values))] if values else []
        parts += [f"g{self.group}"] if self.group > 1 else []
        parts += [word for word in ("bias", "residual") if getattr(self, word)]
        return "-".join([*parts, *([self.activation.function] if self.activation else [])])

    @property
    def op(self) -> Op:
        return REGISTRY["Conv"](
            strides=self.strides, pads=self.pads, dilations=self.dilations, group=self.group, activation=self.activation
        )

    def arrays(self, seed: int = 0) -> list[np.ndarray | None]:
        """x, w, b and residual, None where absent."""
        rng = np.random.default_rng(seed)
        x, w, b = (rng.standard_normal(s, np.float32) for s in (self.x, self.w, self.w[:1]))
        y = replace(self, bias=False, residual=False, activation=None).op.reference(x, w, None, None)[0]
        return [x, w, b if self.bias else None, rng.standard_normal(y.shape, np.float32) if self.residual else None]

    def magnitude(self, arrays: Sequence[np.ndarray | None]) -> np.ndarray:
        """|x| * |w| + |b| + |residual|: what rounding errors are measured in."""
        absolute = (None if a is None else np.abs(a) for a in arrays)
        return replace(self, activation=None).op.reference(*absolute)[0]


RELU = Activation("clamp", 0.0, np.inf)

# Every size of h and w has both borders, a narrow map, or a map wider than a register tile.
DENSE = [
    ConvCase((1, 1, 1, 1), (1, 1, 1, 1)),
    ConvCase((2, 3, 5, 7), (11, 3, 1, 1), bias=False),
    ConvCase((1, 17, 6, 23), (37, 17, 1, 1), activation=RELU, residual=True),
    ConvCase((1, 3, 29, 31), (19, 3, 7, 7), strides=(2, 2), pads=(3, 3, 3, 3), activation=RELU),
    ConvCase((2, 3, 23, 19), (33, 3, 3, 3), strides=(2, 2), pads=(0, 0, 1, 1)),
    ConvCase((1, 3, 41, 37), (17, 3, 11, 11), strides=(4, 4), pads=(2, 2, 2, 2)),
    ConvCase((2, 1, 13, 11), (6, 1, 5, 5), pads=(2, 2, 2, 2)),
    ConvCase((1, 19, 14, 9), (23, 19, 3, 3), pads=(1, 1, 1, 1), residual=True),
    ConvCase((1, 13, 9, 16), (18, 13, 3, 2), strides=(1, 3), pads=(2, 0, 1, 2), dilations=(2, 1)),
    ConvCase((1, 7, 17, 18), (5, 7, 2, 5), strides=(3, 1), pads=(0, 4, 1, 1), dilations=(1, 2), bias=False),
    ConvCase((1, 5, 8, 33), (16, 5, 1, 3), strides=(2, 1), pads=(0, 1, 0, 1)),
    ConvCase((3, 35, 3, 2), (20, 35, 3, 3), pads=(1, 1, 1, 1)),
    ConvCase((1, 9, 4, 5), (7, 9, 2, 2), strides=(4, 4)),
    ConvCase((1, 2, 1, 1), (3, 2, 3, 3), pads=(1, 1, 1, 1), activation=Activation("clamp", 0.0, 6.0)),
    ConvCase((2, 6, 31), (9, 6, 4), strides=(2,), pads=(1, 2)),
    ConvCase((1, 12, 11, 10), (14, 12, 3, 3), pads=(1, 1, 1, 1), activation=Activation("sigmoid")),
    ConvCase((1, 4, 6, 6), (5, 4, 3, 3), pads=(5, 5, 5, 5)),
    ConvCase((1, 37, 16, 33), (9, 37, 16, 16), strides=(16, 16)),
    ConvCase((2, 5, 3, 4), (7, 5, 1, 3), strides=(1 << 62, 1 << 40), dilations=(1 << 62, 1)),
    ConvCase((1, 20, 8, 5), (40, 20, 1, 1), strides=(1, 5)),
    # One output of each row, and one row of outputs, where there are more.
    ConvCase((2, 20, 9, 4), (18, 20, 1, 1), strides=(1, 5)),
    ConvCase((2, 20, 3, 17), (18, 20, 1, 1), strides=(4, 1)),
]
GROUPED = [
    ConvCase((2, 6, 7, 5), (9, 2, 3, 3), pads=(1, 1, 1, 1), group=3),
    ConvCase((1, 32, 9, 11), (64, 16, 3, 3), strides=(2, 2), pads=(1, 1, 1, 1), group=2, activation=RELU),
    ConvCase((1, 35, 6, 17), (10, 7, 1, 1), group=5, residual=True),
    ConvCase((2, 40, 5, 6), (40, 4, 3, 3), pads=(1, 1, 1, 1), group=10, activation=Activation("hard_swish")),
    ConvCase((1, 5, 8, 9), (15, 1, 3, 3), pads=(1, 1, 1, 1), group=5),
    ConvCase((1, 22, 8, 13), (46, 11, 2, 3), strides=(1, 2), dilations=(3, 1), pads=(1, 0, 2, 1), group=2, bias=False),
]
# As many channels out as in, a number that divides the lanes of some vector; the last block is rarely full.
SMALL_GROUPS = [
    ConvCase((2, 22, 9, 30), (22, 2, 3, 3), pads=(1, 1, 1, 1), group=11, activation=RELU),
    ConvCase((1, 20, 11, 7), (20, 4, 3, 3), strides=(2, 2), pads=(0, 1, 2, 1), group=5, residual=True),
    ConvCase((1, 24, 7, 17), (24, 8, 3, 3), pads=(1, 1, 1, 1), group=3, bias=False, residual=True),
    ConvCase((1, 48, 9, 29), (48, 16, 3, 3), strides=(2, 2), pads=(1, 0, 0, 1), group=3, activation=RELU),
    ConvCase((1, 40, 6, 11), (40, 8, 2, 5), strides=(1, 3), pads=(1, 4, 0, 2), dilations=(2, 1), group=5),
    ConvCase((2, 12, 5, 9), (12, 4, 1, 1), group=3),
    ConvCase((1, 18, 7, 13), (18, 2, 3, 3), pads=(2, 3, 1, 2), dilations=(3, 2), group=9),
    ConvCase((1, 8, 3, 2), (8, 4, 3, 3), pads=(4, 4, 4, 4), group=2, activation=Activation("clamp", 0.0, 6.0)),
    ConvCase((2, 6, 31), (6, 2, 3), strides=(2,), pads=(1, 0), group=3),
]
DEPTHWISE = [
    ConvCase((1, 1, 5, 4), (1, 1, 3, 3), pads=(1, 1, 1, 1), bias=False),
    ConvCase((2, 17, 9, 30), (17, 1, 3, 3), pads=(1, 1, 1, 1), group=17, activation=RELU),
    ConvCase((1, 33, 11, 7), (33, 1, 3, 3), pads=(1, 1, 1, 1), group=33, residual=True),
    ConvCase((1, 19, 15, 31), (19, 1, 3, 3), strides=(2, 2), pads=(0, 0, 1, 1), group=19),
    ConvCase((1, 8, 13, 29), (8, 1, 5, 5), pads=(2, 2, 2, 2), group=8, activation=Activation("hard_swish")),
    ConvCase((2, 5, 13, 29), (5, 1, 5, 5), strides=(2, 2), pads=(2, 1, 1, 2), group=5, bias=False),
    ConvCase((1, 18, 12, 15), (18, 1, 7, 7), pads=(3, 3, 3, 3), group=18, residual=True, activation=RELU),
    ConvCase((1, 11, 17, 19), (11, 1, 3, 3), pads=(2, 3, 1, 2), dilations=(2, 3), group=11),
    ConvCase((1, 7, 10, 37), (7, 1, 2, 4), strides=(3, 4), pads=(0, 3, 1, 0), group=7),
    ConvCase((1, 6, 3, 2), (6, 1, 3, 3), pads=(4, 4, 4, 4), group=6, residual=True),
    ConvCase((3, 21, 1, 1), (21, 1, 1, 1), group=21),
    ConvCase((2, 9, 23), (9, 1, 3), pads=(1, 1), group=9),
]
ALL = [*DENSE, *GROUPED, *SMALL_GROUPS, *DEPTHWISE]
