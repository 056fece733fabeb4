"""The command line: parsing and printing, no logic. One command a file; importing this package registers them all."""

from importlib import import_module
from pkgutil import iter_modules

from tinycnn.cli.group import main

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["main"]
