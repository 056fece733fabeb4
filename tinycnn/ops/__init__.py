"""What each operator means: one operator a file. Importing this package registers all of them in REGISTRY."""

from importlib import import_module
from pkgutil import iter_modules

from tinycnn.ops.activation import Activation
from tinycnn.ops.op import REGISTRY, Op

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["REGISTRY", "Activation", "Op"]
