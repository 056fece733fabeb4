"""How operators run fast: what kernels are to the planner, and a folder of them for each platform."""

import importlib
import pkgutil
from collections.abc import Collection
from types import ModuleType


def modules_with_kernels(package: ModuleType, but: Collection[str]) -> tuple[ModuleType, ...]:
    """The modules of a platform's folder that hold kernels. Those named in `but` are not imported."""
    names = sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.name not in but)
    modules = (importlib.import_module(f"{package.__name__}.{name}") for name in names)
    return tuple(m for m in modules if hasattr(m, "kernels"))
