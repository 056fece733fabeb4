"""Kernels for processors. One family a file; importing them registers what they lower and compiles nothing."""

import functools
import sys
from collections.abc import Iterable
from types import ModuleType

from tinycnn.kernels import modules_with_kernels
from tinycnn.kernels.kernel import Kernel

COMPILERS = frozenset({"simd", "sliding", "squares", "sync", "tile", "tile_bytes", "transforms", "vmath"})


@functools.cache
def families() -> tuple[ModuleType, ...]:
    """The modules of this folder that hold kernels. Those that import a compiler at once are not among them."""
    return modules_with_kernels(sys.modules[__name__], COMPILERS)


def all_kernels(isa: str) -> Iterable[Kernel]:
    """Every kernel of every family for one instruction set."""
    for family in families():
        yield from family.kernels(isa)
