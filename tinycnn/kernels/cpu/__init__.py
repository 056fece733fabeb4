"""Kernels for processors. One family a file; importing them registers what they lower and compiles nothing."""

import functools
import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType

from tinycnn.kernels.kernel import Kernel

COMPILERS = frozenset({"simd", "sliding", "squares", "sync", "tile", "transforms", "vmath"})


@functools.cache
def families() -> tuple[ModuleType, ...]:
    """The modules of this folder that hold kernels. Those that import a compiler at once are not among them."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in COMPILERS)
    modules = (importlib.import_module(f"{__name__}.{name}") for name in names)
    return tuple(m for m in modules if hasattr(m, "kernels"))


def all_kernels(isa: str) -> Iterable[Kernel]:
    """Every kernel of every family for one instruction set."""
    for family in families():
        yield from family.kernels(isa)
