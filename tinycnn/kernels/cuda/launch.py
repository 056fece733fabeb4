"""CUDA kernels to everybody else: a row as every kernel has, and the grid that it is launched with."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from tinycnn.kernels.kernel import Kernel, Range, fields, require

Blocks = tuple[int, int, int]
MOST_BLOCKS: Blocks = ((1 << 31) - 1, 65535, 65535)  # CUDA C++ Programming Guide, technical specifications
MOST_ELEMENTS = 1 << 31  # indices are divided in 32 bits


@dataclass(frozen=True, eq=False)
class CudaKernel(Kernel):
    """A kernel whose function has one parameter a field, and finds thread and block in `cuda`.

    threads   of a block
    blocks    row values -> blocks of the grid
    resident  blocks that a multiprocessor shall hold: bounds the registers of a thread
    """

    threads: int
    blocks: Callable[[SimpleNamespace], Blocks]
    resident: int = 1


def cuda_kernel(
    name: str,
    row: str,
    build: Callable[[], Callable[..., Any]],
    ranges: Callable[[SimpleNamespace], Iterable[Range]],
    target: str,
    threads: int,
    blocks: Callable[[SimpleNamespace], Blocks],
    resident: int = 1,
) -> CudaKernel:
    """`row` are the fields as text. The grid is checked with the ranges."""

    def checked(values: SimpleNamespace) -> Iterable[Range]:
        for count, most in zip(blocks(values), MOST_BLOCKS, strict=True):
            require(0 < count <= most, f"{count} blocks")
        yield from ranges(values)

    return CudaKernel(f"{name}__{target}", fields(row), build, checked, target, threads, blocks, resident)


def takes(kernel: CudaKernel, **numbers: int | float) -> bool:
    """Whether the kernel can compute a row of these numbers, wherever its addresses lie."""
    try:
        list(kernel.ranges(SimpleNamespace(**dict.fromkeys((f.name for f in kernel.fields), 1) | numbers)))
    except ValueError:
        return False
    return True


def over(count: int, size: int) -> int:
    """Pieces of `size` that hold `count`."""
    return -(-count // size)
