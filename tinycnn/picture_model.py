"""A network that takes pictures, by its name or file: with its preprocessing and class names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinycnn.errors import OptionError, unknown
from tinycnn.models import zoo
from tinycnn.models.cards import card, card_names
from tinycnn.models.names import TRAINED, trained_names
from tinycnn.models.preprocess import Preprocess
from tinycnn.passes.bind import bind
from tinycnn.session import InferenceSession, SessionOptions

PRESETS: Mapping[str, Mapping[str, object]] = {
    "imagenet": {"scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
    "caffe": {"colour": "bgr", "mean": (104.0, 117.0, 123.0)},
    "unit": {"scale": 1 / 255},
    "raw": {},
}


@dataclass(frozen=True)
class Layer:
    """A value of a network: its name, the operator and the node that compute it, its shape, None where not known."""

    name: str
    operator: str
    node: str
    shape: tuple[int | str, ...] | None


@dataclass(frozen=True)
class PictureModel:
    """A session with one picture input.

    preprocess  makes that input
    labels      class names in the order of the first output; none where nobody knows them
    title       what it is, in one line
    samples     pictures to try it on that came with it
    """

    session: InferenceSession
    preprocess: Preprocess
    labels: tuple[str, ...]
    title: str
    samples: tuple[Path, ...] = ()

    @classmethod
    def open(
        cls, model: str, *, preset: str | None = None, labels: str | None = None, threads: int = 0
    ) -> "PictureModel":
        """A network of the package, of the zoo, where it was pulled or lies in the folder of the knob ZOO, or a file.

        model   its name, which may stand behind "trained:" as elsewhere, or the path of the file
        preset  for a file: one of PRESETS; default "imagenet"
        labels  text file of class names, one a line, instead of those that come with the network

        Raises OptionError when name, preset or labels do not fit or a network of the zoo is not on this machine, and
        what InferenceSession raises.
        """
        model = model.removeprefix(TRAINED)
        named = model in trained_names()
        if preset and named:
            raise OptionError(f"preset {preset!r}: {model} comes with its own preprocessing; presets are for files")
        if not named and not Path(model).exists():
            raise OptionError(
                f"{unknown('file or network', model, trained_names())}; `tinycnn pull --list` shows those of the zoo"
            )
        options = SessionOptions(intra_op_num_threads=threads)
        own = read_labels(labels) if labels else None
        if model in card_names():
            c = card(model)
            title = f"{c.name}: {c.task}"
            return cls(InferenceSession(c.path, options), c.preprocess, own or c.labels, title, c.samples)
        if named:
            entry = zoo.entry(model)
            file, path = entry.found()
            title = f"{model}: {entry.network}; {path}"
            return cls(InferenceSession(path, options), file.preprocess, own or entry.labels, title)
        session = InferenceSession(model, options)
        title = f"{model}, preprocessing {preset or 'imagenet (assumed)'}"
        return cls(session, guess_preprocess(session, preset or "imagenet"), own or (), title)

    def label(self, index: int, classes: int) -> str:
        """Raises OptionError when there are class names, but not as many as classes."""
        if self.labels and len(self.labels) != classes:
            raise OptionError(f"{len(self.labels)} class names for a network of {classes} classes")
        return self.labels[index] if self.labels else str(index)

    def layers(self) -> list[Layer]:
        """Every value that the network computes from a picture, in order. What does not depend on it is left out."""
        [spec] = self.session.get_inputs()
        count = spec.shape[0] if isinstance(spec.shape[0], int) else 1
        graph = bind(self.session.imported(), {spec.name: (count, *self.preprocess.shape)})
        return [
            Layer(value, node.kind, node.name, graph.specs[value].shape if value in graph.specs else None)
            for node in graph.nodes
            for value in node.outputs
            if value
        ]

    def layer(self, name: str) -> str:
        """The value of this name, or the first that the node of this name computes.

        Raises OptionError with the nearest names where there is neither.
        """
        layers = self.layers()
        if name in {layer.name for layer in layers}:
            return name
        for layer in layers:
            if name and name == layer.node:
                return layer.name
        names = [n for layer in layers for n in (layer.name, layer.node) if n]
        raise OptionError(unknown("layer", name, names))

    def run(self, x: np.ndarray, outputs: Sequence[str] | None = None) -> list[np.ndarray]:
        """Values of the network, its outputs by default, one row a picture, for x [n, ...] as `preprocess` makes it.

        Where the network takes batches of a fixed size only, x goes through in such.
        Raises OptionError for a value that holds no row a picture.
        """
        [spec] = self.session.get_inputs()
        x = x.astype(np.float16 if spec.type == "tensor(float16)" else np.float32, copy=False)
        names = list(outputs or (o.name for o in self.session.get_outputs()))
        parts = []
        for batch in batches_of(x, spec.shape[0] if isinstance(spec.shape[0], int) else len(x)):
            values = self.session.run(names, {spec.name: batch})
            parts.append([rows(name, value, len(batch)) for name, value in zip(names, values, strict=True)])
        return [np.concatenate(columns)[: len(x)] for columns in zip(*parts, strict=True)]


def batches_of(x: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """x [n, ...] in parts of `size` rows, the last one filled up by repeating its last row."""
    for start in range(0, len(x), size):
        batch = x[start : start + size]
        missing = size - len(batch)
        yield np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch


def rows(name: str, value: np.ndarray, count: int) -> np.ndarray:
    if value.ndim and len(value) == count:
        return value
    if count == 1:
        return value[None]
    raise OptionError(f"value {name!r} of shape {list(value.shape)} holds no row for each of {count} pictures")


def read_labels(path: str) -> tuple[str, ...]:
    """Class names from a text file, one a line. Raises OSError, or OptionError when it is no text or empty."""
    try:
        labels = Path(path).read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        raise OptionError(f"{path}: not a text in UTF-8") from None
    if not labels:
        raise OptionError(f"{path}: holds no class names")
    return tuple(labels)


def guess_preprocess(session: InferenceSession, preset: str) -> Preprocess:
    """The preset for the size, channels and layout of the input. Raises OptionError where it takes no pictures."""
    if preset not in PRESETS:
        raise OptionError(unknown("preset", preset, PRESETS))
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        told = ", ".join(f"{i.name} {'x'.join(map(str, i.shape))}" for i in inputs)
        raise OptionError(f"a model with one picture input is needed; this one takes {told or 'nothing'}")
    shape = inputs[0].shape
    last = shape[3] in (1, 3)
    h, w, channels = (shape[1], shape[2], shape[3]) if last else (shape[2], shape[3], shape[1])
    values: dict[str, object] = {"size": (h if isinstance(h, int) else 224, w if isinstance(w, int) else 224)}
    values |= {**PRESETS[preset], "layout": "nhwc" if last else "nchw"}
    if channels == 1:
        values |= {"colour": "grey", "mean": (0.0,), "std": (1.0,)}
    if values["size"] == (224, 224):
        values["short_side"] = 256
    return Preprocess(**values)  # type: ignore[arg-type]
