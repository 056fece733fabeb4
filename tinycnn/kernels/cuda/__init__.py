"""Kernels for CUDA devices. One family a file; importing them registers what they lower and compiles nothing.

All tensors have ONNX's own layout: what a block reads along pixels comes from memory in whole lines, and nothing needs
to be reordered, not even what the user keeps on the device.
"""

import functools
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

from tinycnn.kernels import modules_with_kernels

if TYPE_CHECKING:
    from tinycnn.kernels.cuda.launch import CudaKernel

COMPILERS = frozenset({"functions", "runs", "simt", "tile_mma", "tile_simt", "tree"})


@functools.cache
def families() -> tuple[ModuleType, ...]:
    """The modules of this folder that hold kernels. Those that import a compiler at once are not among them."""
    return modules_with_kernels(sys.modules[__name__], COMPILERS)


def all_kernels(target: str) -> "Iterable[CudaKernel]":
    """Every kernel of every family for one compute capability."""
    for family in families():
        yield from family.kernels(target)
