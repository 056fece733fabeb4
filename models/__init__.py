"""Networks by name, trained ones with cards, and the way from a picture to their input. Names load on first use."""

from importlib import import_module
from typing import Any

_HOME = {
    "Architecture": "architectures",
    "Builder": "builder",
    "Card": "cards",
    "Measurement": "cards",
    "Normaliser": "normaliser",
    "Preprocess": "preprocess",
    "architecture": "architectures",
    "architecture_names": "architectures",
    "build": "architectures",
    "card": "cards",
    "card_names": "cards",
    "count": "counting",
    "find_pictures": "pictures",
    "load_picture": "preprocess",
    "picture_batches": "pictures",
    "pull": "zoo.pull",
    "read_cifar10": "cifar10",
    "read_mnist": "mnist",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
