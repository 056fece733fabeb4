"""Model cards: what a network of the package was trained on, how well it does, and how to feed it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from tinycnn.errors import OptionError, unknown
from tinycnn.models.preprocess import Preprocess

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Measurement:
    """What was measured (an accuracy is in 0..1), on how many images, and the command that reproduces it."""

    metric: str
    value: float
    images: int
    command: str


@dataclass(frozen=True)
class Card:
    """One trained network.

    path         its ONNX file
    labels       names of the classes in the order of `output`
    accuracy     of the network as it is meant to run, on the full test set
    comparisons  what else was measured, of the network run otherwise
    samples      pictures to try it on that are installed with the package, in alphabetical order
    """

    name: str
    path: Path
    task: str
    network: str
    data: str
    licence: str
    input: str
    output: str
    labels: tuple[str, ...]
    accuracy: Measurement
    preprocess: Preprocess
    samples: tuple[Path, ...]
    comparisons: tuple[Measurement, ...] = ()


def card_names() -> tuple[str, ...]:
    """The networks that are installed with the package, in alphabetical order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def card(name: str) -> Card:
    """Read the card of an installed network, `name`.toml beside `name`.onnx.

    Raises
    ------
    OptionError
        No network has this name; the message lists those that exist. Or its card is damaged: no TOML, or a field is
        missing, as labels may be; the message names the card and the field.
    """
    if name not in card_names():
        raise OptionError(unknown("network of the package", name, card_names()))
    path = FOLDER / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text("utf-8"))
        return Card(
            **table
            | {
                "path": FOLDER / f"{name}.onnx",
                "labels": tuple(table["labels"]),
                "accuracy": Measurement(**table["accuracy"]),
                "comparisons": tuple(Measurement(**row) for row in table.get("comparisons", ())),
                "preprocess": Preprocess.from_card(table["preprocess"]),
                "samples": tuple(sorted((FOLDER / "samples").glob(table["samples"]))),
            }
        )
    except KeyError as error:
        raise OptionError(f"{path}: the card has no {error.args[0]}") from None
    except (TypeError, ValueError) as error:
        raise OptionError(f"{path}: not a card: {error}") from None
