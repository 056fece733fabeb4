"""The networks of the package by name: what is published of them, and how they are built."""

import difflib
import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tinycnn.errors import OptionError
from tinycnn.ir import Graph
from tinycnn.models.builder import Builder, Value


@dataclass(frozen=True)
class Published:
    """What others count: "25,557,032" is exact, "15.5 G" rounded, "" not published.

    source   where both stand
    options  for `build`: what they count, where it is not the network as it is built by default
    without  the kinds of operators that they leave out
    note     what else there is to say
    """

    parameters: str = ""
    macs: str = ""
    source: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Architecture:
    """One network.

    make       writes it: called with a Builder, the number of classes and `options`, it returns the output
    input      channels, height and width
    published  what its counts are held to
    """

    name: str
    year: int
    paper: str
    make: Callable[..., Value]
    published: Published
    options: Mapping[str, Any] = field(default_factory=dict)
    input: tuple[int, int, int] = (3, 224, 224)
    classes: int = 1000

    def build(
        self,
        num_classes: int | None = None,
        input_size: int | tuple[int, int] | None = None,
        seed: int | None = 0,
        **options: Any,
    ) -> Graph:
        """See `build`."""
        channels, *usual = self.input
        h, w = (input_size, input_size) if isinstance(input_size, int) else input_size or usual
        classes = self.classes if num_classes is None else num_classes
        for what, value, least in (("num_classes", classes, 1), ("input_size", min(h, w), 1), ("seed", seed or 0, 0)):
            if value < least:
                raise OptionError(f"{self.name}: {what} is {value}, it must be at least {least}")
        known = list(inspect.signature(self.make).parameters)[2:]
        for option in options:
            if option not in known:
                raise OptionError(
                    f"{self.name} has no option {option!r}; it has {', '.join(known) if known else 'none'}"
                )
        net = Builder(self.name, (channels, h, w), seed)
        return net.graph(self.make(net, classes, **{**self.options, **options}))


@functools.cache
def catalogue() -> Mapping[str, Architecture]:
    """By name, in order of the year: the tuples NETWORKS of all modules in `tinycnn.models.networks`."""
    package = importlib.import_module("tinycnn.models.networks")
    modules = [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    found: list[Architecture] = [a for module in modules for a in module.NETWORKS]
    return {a.name: a for a in sorted(found, key=lambda a: a.year)}


def architecture_names() -> tuple[str, ...]:
    return tuple(catalogue())


def plain(name: str) -> str:
    """Names that differ in case and punctuation only are the same: "ResNet-50" is "resnet50"."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def architecture(name: str) -> Architecture:
    """The network of this name, however it is spelt. Raises OptionError, with the nearest names, if there is none."""
    known = {plain(key): value for key, value in catalogue().items()}
    if plain(name) in known:
        return known[plain(name)]
    nearest = [known[key].name for key in difflib.get_close_matches(plain(name), known, cutoff=0.5)]
    hint = f"the nearest are {', '.join(nearest)}" if nearest else "`tinycnn models` lists those there are"
    raise OptionError(f"no network is named {name!r}; {hint}")


def build(
    name: str,
    num_classes: int | None = None,
    input_size: int | tuple[int, int] | None = None,
    seed: int | None = 0,
    **options: Any,
) -> Graph:
    """A network of `architecture_names()`, its weights He-initialised: "image" f32 [batch, c, h, w] to scores
    [batch, num_classes], before any softmax.

    num_classes  default: that of the data set it was published for
    input_size   pixels, one number or height and width; default: as published
    seed         of the weights, the same for the same seed, at least 0; None: zeros that take no memory, to count
    options      of the network's function in `tinycnn.models.networks`, such as the width of MobileNets

    Raises OptionError for a name, number or option that does not exist, and ShapeError, naming the layer that runs out
    of pixels, for an input that is too small.
    """
    return architecture(name).build(num_classes, input_size, seed, **options)
