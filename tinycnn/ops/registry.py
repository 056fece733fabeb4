"""Operators by kind. A model uses a handful, so the file of each is imported when its kind is looked up."""

import functools
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinycnn.ops.op import Op


@functools.cache
def files() -> dict[str, str]:
    """Names of this folder's files by what a kind is in lower case. Some define no operator of their own."""
    names = [module.name for module in iter_modules([str(Path(__file__).parent)])]
    return {name.removeprefix("logical_").replace("_", ""): name for name in names}


class Registry(MutableMapping[str, type["Op"]]):
    """Kind -> class. An operator's file has the name of its kind in snake case, with `logical_` before Python's words.
    Operators from elsewhere are here as soon as they are defined, before those of this folder."""

    def __init__(self) -> None:
        self.known: dict[str, type[Op]] = {}

    def __getitem__(self, kind: str) -> type["Op"]:
        if kind not in self.known and (name := files().get(kind.lower())):
            import_module(f"tinycnn.ops.{name}")
        return self.known[kind]

    def __setitem__(self, kind: str, operator: type["Op"]) -> None:
        self.known[kind] = operator

    def __delitem__(self, kind: str) -> None:
        del self.known[kind]

    def __iter__(self) -> Iterator[str]:
        for name in files().values():
            import_module(f"tinycnn.ops.{name}")
        return iter(list(self.known))

    def __len__(self) -> int:
        return len(list(iter(self)))


REGISTRY = Registry()
