"""Model cards: what a network of the package was trained on, how well it does, and how to feed it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from tinycnn.errors import OptionError, unknown
from tinycnn.models.preprocess import Preprocess

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Accuracy:
    """A measured accuracy: its metric, value in 0..1, number of images, and the command that reproduces it."""

    metric: str
    value: float
    images: int
    command: str


@dataclass(frozen=True)
class Card:
    """One trained network: `path` is its ONNX file, `labels` name the classes in the order of `output`."""

    name: str
    path: Path
    task: str
    network: str
    data: str
    licence: str
    input: str
    output: str
    labels: tuple[str, ...]
    accuracy: Accuracy
    preprocess: Preprocess


def card_names() -> tuple[str, ...]:
    """The networks that are installed with the package, in alphabetical order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def sample_pictures() -> tuple[Path, ...]:
    """Pictures of digits that are installed with the package, to try its networks on."""
    return tuple(sorted((FOLDER / "samples").glob("*.png")))


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
                "accuracy": Accuracy(**table["accuracy"]),
                "preprocess": Preprocess.from_card(table["preprocess"]),
            }
        )
    except KeyError as error:
        raise OptionError(f"{path}: the card has no {error.args[0]}") from None
    except (TypeError, ValueError) as error:
        raise OptionError(f"{path}: not a card: {error}") from None
