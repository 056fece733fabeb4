"""The classification networks of the ONNX model zoo: what is known of them, and where they are on this machine.

Nothing here opens a connection: `tinycnn.models.zoo.pull` does, when asked to.
"""

import functools
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tinycnn import knobs
from tinycnn.errors import OptionError, unknown
from tinycnn.models.preprocess import Preprocess

HERE = Path(__file__).parent


@dataclass(frozen=True)
class File:
    """One file of a network.

    path        its place under the zoo's addresses; a bare name where it lies under none
    input       name and shape of its input
    preprocess  how it wants pictures
    bytes       its size; None where the zoo publishes none
    sha256      64 hexadecimal digits; None where the zoo publishes none
    """

    path: str
    input: str
    preprocess: Preprocess
    bytes: int | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name

    def addresses(self, templates: tuple[str, ...]) -> Iterator[str]:
        """Where it may be found, for templates with {path}, {name} and {stem}, its name without suffix."""
        for template in templates:
            yield template.format(path=self.path, name=self.name, stem=PurePosixPath(self.path).stem)


@dataclass(frozen=True)
class Entry:
    """A network of the zoo. The first of its files is the zoo's own; others hold the same network in another form.

    top1, top5  published accuracy in 0..1, None where the zoo states none; `source` is the page that does
    labels      class names in the order of the output
    """

    name: str
    network: str
    licence: str
    labels: tuple[str, ...]
    top1: float | None
    top5: float | None
    source: str
    files: tuple[File, ...]

    def find(self) -> tuple[File, Path] | None:
        """The first of its files on this machine, with its place; None where there is none."""
        for folder in folders():
            for file in self.files:
                if (folder / file.name).is_file():
                    return file, folder / file.name
        return None

    def found(self) -> tuple[File, Path]:
        """As `find`. Raises OptionError, which says how to get it, where there is none."""
        here = self.find()
        if here is None:
            places = " or ".join(map(str, folders()))
            raise OptionError(f"{self.name} is not in {places}: `tinycnn pull {self.name}` first")
        return here


def names() -> tuple[str, ...]:
    """All networks that can be pulled."""
    return tuple(registry()["networks"])


def entry(name: str) -> Entry:
    """What the registry says of a network. Raises OptionError for an unknown name, with the nearest known ones."""
    table = registry()["networks"].get(name)
    if table is None:
        raise OptionError(f"{unknown('network of the zoo', name, names())}; `tinycnn pull --list` shows all")
    recipes = registry()["preprocess"]
    files = (File(**{**f, "preprocess": Preprocess.from_card(recipes[f["preprocess"]])}) for f in table["files"])
    return Entry(
        name,
        table["network"],
        table["licence"],
        class_names(table["labels"]),
        table.get("top1"),
        table.get("top5"),
        registry()["readmes"] + table["readme"],
        tuple(files),
    )


@functools.cache
def registry() -> Mapping[str, Any]:
    """registry.toml, which explains itself."""
    return tomllib.loads((HERE / "registry.toml").read_text("utf-8"))


@functools.cache
def class_names(kind: str) -> tuple[str, ...]:
    """Of "digits", or of the 1,000 classes of "imagenet" in the order of ILSVRC 2012; imagenet.txt names its source."""
    if kind == "digits":
        return tuple("0123456789")
    lines = (HERE / f"{kind}.txt").read_text("utf-8").splitlines()
    return tuple(line.partition(" ")[2] for line in lines if not line.startswith("#"))


def addresses() -> tuple[str, ...]:
    """Where the zoo keeps its files: templates for `File.addresses`."""
    return tuple(registry()["addresses"])


def folders() -> tuple[Path, ...]:
    """Where networks of the zoo are looked for: the folder of the knob ZOO, if it is set, then that of pulled ones.

    Raises OptionError when the knob names no folder.
    """
    own = knobs.ZOO.get()
    if own and not Path(own).is_dir():
        raise OptionError(f"environment variable {knobs.ZOO.name}={own!r}: no such folder")
    return (*([Path(own)] if own else []), pulled_folder())


def pulled_folder() -> Path:
    """Where pulled networks are kept: the folder of the knob MODELS, or one in the user's cache folder."""
    home = knobs.CACHE_HOME.get() or os.path.expanduser("~/.cache")
    return Path(knobs.MODELS.get() or Path(home) / "tinycnn" / "models")
