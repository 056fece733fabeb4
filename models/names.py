"""What a name means where the file of a model may stand: an architecture, or a network with trained weights."""

from pathlib import Path

from tinycnn.errors import OptionError, unknown
from tinycnn.models import zoo
from tinycnn.models.architectures import Architecture, architecture_names, catalogue, plain
from tinycnn.models.cards import card, card_names

TRAINED = "trained:"
"""Before a name: the network with its trained weights, also where the bare name means an architecture."""


def trained_names() -> tuple[str, ...]:
    """The networks that have trained weights: those of the package, then those of the zoo."""
    return (*card_names(), *zoo.names())


def trained(name: str) -> Path:
    """The file of a trained network. Raises OptionError for an unknown name, or where the file has to be pulled."""
    if name in card_names():
        return card(name).path
    if name in zoo.names():
        return zoo.entry(name).found()[1]
    raise OptionError(f"{unknown('trained network', name, trained_names())}; `tinycnn pull --list` shows the zoo's")


def trained_as(architecture: Architecture) -> str | None:
    """The name of the trained network that has an architecture's; None where there is none."""
    return next((name for name in trained_names() if plain(name) == plain(architecture.name)), None)


def named(model: str) -> Path | Architecture:
    """What a command's argument means.

    In this order: a file of this name; "trained:NAME"; an architecture, however it is spelt; a trained network whose
    name no architecture has. What looks like a path is one.

    Raises OptionError, with the nearest names, when it is none of these, and what `trained` raises.
    """
    path = Path(model)
    if path.exists():
        return path
    if model.startswith(TRAINED):
        return trained(model.removeprefix(TRAINED))
    if path.suffix == ".onnx" or len(path.parts) != 1:
        return path
    for architecture in catalogue().values():
        if plain(architecture.name) == plain(model):
            return architecture
    if model in trained_names():
        return trained(model)
    known = (*architecture_names(), *trained_names())
    raise OptionError(
        f"{unknown('file or network', model, known)}; `tinycnn models` and `tinycnn pull --list` show all"
    )
