"""What differs between opsets, one family a file: each rewrites a node to the form of the newest opset.

A node whose meaning and attributes never changed needs no lift. Importing this package registers all of them.
"""

from importlib import import_module
from pkgutil import iter_modules

from tinycnn.converters.onnx.lifts.registry import lifts_of

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["lifts_of"]
