"""A product of matrices in numbers, whatever platform computes it."""

import math
from dataclasses import dataclass

import numpy as np

from tinycnn.kernels.lowering import Request


@dataclass(frozen=True)
class MatrixProduct:
    """A stack of products of matrices that lie plain. Steps in bytes.

    pairs  numbers of the matrices of a and of b in each product
    a_row, a_step; b_step, b_column   from one row or column to the next, from one k to the next
    alpha  factor of the product
    """

    m: int
    n: int
    k: int
    pairs: tuple[tuple[int, int], ...]
    a_row: int
    a_step: int
    b_step: int
    b_column: int
    alpha: float = 1.0

    @property
    def a_count(self) -> int:
        return 1 + max(a for a, _ in self.pairs)

    @property
    def b_count(self) -> int:
        return 1 + max(b for _, b in self.pairs)


def stack(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Pairs of matrices for leading axes a and b that broadcast."""
    numbers = (np.arange(math.prod(s)).reshape(s) for s in (a, b))
    left, right = np.broadcast_arrays(*numbers)
    return tuple(zip(left.ravel().tolist(), right.ravel().tolist(), strict=True))


def matrix_product(r: Request) -> MatrixProduct | None:
    """The product of a Gemm or MatMul request; None unless f32 and not empty."""
    a, b = r.inputs[0], r.inputs[1]
    if a is None or b is None or a.dtype != np.float32 or b.dtype != np.float32 or not a.size * b.size:
        return None
    if r.node.kind == "Gemm":
        m, k = a.dims[::-1] if r.op.transA else a.dims
        n = b.dims[0] if r.op.transB else b.dims[1]
        a_steps, b_steps = ((4, 4 * m) if r.op.transA else (4 * k, 4)), ((4, 4 * k) if r.op.transB else (4 * n, 4))
        return MatrixProduct(m, n, k, ((0, 0),), *a_steps, *b_steps, alpha=r.op.alpha)
    a_dims = a.dims if a.rank > 1 else (1, *a.dims)
    b_dims = b.dims if b.rank > 1 else (*b.dims, 1)
    (k, n), m, a_stack, b_stack = b_dims[-2:], a_dims[-2], a_dims[:-2], b_dims[:-2]
    if math.prod(b_stack) == 1:
        m, a_stack = m * math.prod(a_stack), ()
    return MatrixProduct(m, n, k, stack(a_stack, b_stack), 4 * k, 4, 4 * n, 4)


@dataclass(frozen=True)
class Addend:
    """beta * C of a Gemm: constants to pack, or an input to read as it is."""

    bias: np.ndarray | int | None = None
    r: np.ndarray | int | None = None


def addend(r: Request, p: MatrixProduct) -> Addend | None:
    """None where C is computed and is neither a row nor a full matrix, or is scaled."""
    if r.node.kind != "Gemm" or len(r.inputs) < 3 or r.inputs[2] is None:
        return Addend()
    dims, c = r.inputs[2].dims, r.values[2]
    is_row = math.prod(dims) in (1, p.n) and (len(dims) < 2 or dims[0] == 1)
    if c is not None:
        scaled = np.float32(r.op.beta) * c.astype(np.float32)
        if is_row:
            return Addend(bias=np.broadcast_to(scaled.ravel(), p.n))
        return Addend(r=np.broadcast_to(scaled, (p.m, p.n)))
    if r.op.beta != 1.0:
        return None
    if is_row and dims[-1:] == (p.n,):
        return Addend(bias=2)
    return Addend(r=2) if dims == (p.m, p.n) else None
