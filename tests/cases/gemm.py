"""Matrix products with ugly shapes."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinycnn.ops import REGISTRY
from tinycnn.ops.activation import Activation
from tinycnn.ops.op import Op

RELU = Activation("clamp", 0.0, np.inf)


@dataclass(frozen=True)
class Product:
    """A Gemm or MatMul. constants: numbers of the inputs that are weights."""

    shapes: tuple[tuple[int, ...], ...]
    constants: tuple[int, ...] = (1, 2)
    kind: str = "Gemm"
    attributes: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        shapes = "@".join("x".join(map(str, s)) for s in self.shapes)
        computed = "".join("abc"[i] for i in range(len(self.shapes)) if i not in self.constants)
        return "-".join([self.kind, shapes, computed, *(f"{k}={v}" for k, v in self.attributes)])

    @property
    def op(self) -> Op:
        return REGISTRY[self.kind](**dict(self.attributes))

    def arrays(self) -> list[np.ndarray]:
        rng = np.random.default_rng(len(self.shapes[0]))
        return [rng.standard_normal(s, np.float32) for s in self.shapes]

    def magnitude(self, arrays: list[np.ndarray]) -> np.ndarray:
        """|alpha| |a| |b| + |beta| |c|: what rounding errors are measured in."""
        absolute = {k: abs(v) if isinstance(v, float) else v for k, v in self.attributes if k != "activation"}
        return replace(self, attributes=tuple(absolute.items())).op.reference(*map(np.abs, arrays))[0]


def gemm(*shapes: tuple[int, ...], constants: tuple[int, ...] = (1, 2), **attributes: Any) -> Product:
    return Product(shapes, constants, "Gemm", tuple(attributes.items()))


def matmul(*shapes: tuple[int, ...], constants: tuple[int, ...] = (), **attributes: Any) -> Product:
    return Product(shapes, constants, "MatMul", tuple(attributes.items()))


PRODUCTS = [
    gemm((1, 1), (1, 1), (1,)),
    gemm((1, 84), (84, 10), (10,)),
    gemm((1, 401), (120, 401), (120,), transB=1, activation=RELU),
    gemm((3, 37), (37, 53), (53,), alpha=0.5, beta=-2.0),
    gemm((29, 41), (41, 67), (1, 67), activation=Activation("sigmoid")),
    gemm((41, 29), (67, 41), (29, 1), transA=1, transB=1, alpha=1.5),
    gemm((13, 19), (13, 64), (19, 64), transA=1, activation=RELU),
    gemm((28, 5), (5, 96), ()),
    gemm((31, 6), (6, 33)),
    gemm((2, 700), (700, 300), (300,)),
    gemm((1, 1037), (301, 1037), (301,), transB=1, activation=RELU),
    gemm((2, 1024), (262, 1024), (2, 262), constants=(1,), transB=1, activation=Activation("tanh")),
    matmul((1, 262200), (262200, 1), constants=(1,)),
    gemm((5, 9), (9, 21), (21,), constants=(2,)),
    gemm((17, 23), (45, 23), (45,), constants=(), transB=1, alpha=0.25),
    gemm((33, 8), (8, 40), (33, 40), constants=()),
    gemm((7, 11), (11, 18), constants=(0,)),
    matmul((4, 5, 6), (6, 7), constants=(1,)),
    matmul((3, 20, 17), (17, 35), constants=(1,), activation=Activation("clamp", 0.0, 6.0)),
    matmul((9,), (9, 5), constants=(1,)),
    matmul((6, 9), (9,), constants=(1,)),
    matmul((11,), (11,)),
    matmul((2, 3, 15, 8), (2, 3, 8, 19)),
    matmul((2, 1, 15, 8), (3, 8, 19)),
    matmul((5, 1, 7), (1, 7, 33)),
    matmul((4, 2, 7), (4, 7, 3), constants=(1,)),
    matmul((16, 31), (2, 31, 18)),
]
