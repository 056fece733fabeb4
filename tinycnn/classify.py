"""Pictures to class names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinycnn.errors import OptionError
from tinycnn.models.cards import card, card_names
from tinycnn.models.preprocess import Preprocess, load_picture
from tinycnn.session import InferenceSession, SessionOptions

PRESETS: Mapping[str, Mapping[str, object]] = {
    "imagenet": {"scale": 1 / 255, "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
    "caffe": {"colour": "bgr", "mean": (104.0, 117.0, 123.0)},
    "unit": {"scale": 1 / 255},
    "raw": {},
}


@dataclass(frozen=True)
class Guess:
    """A class, its number, and its probability in 0..1."""

    label: str
    index: int
    probability: float


def softmax(scores: np.ndarray) -> np.ndarray:
    e = np.exp(scores - scores.max())
    return e / e.sum()


def is_distribution(scores: np.ndarray) -> bool:
    return bool(scores.min() >= 0 and abs(scores.sum() - 1) < 1e-3)


class Classifier:
    """A network with its preprocessing and class names: calling it with a picture's path gives guesses, best first.

    model   name of a network of the package, or an ONNX file with one picture input
    preset  for a file: one of PRESETS; default "imagenet"
    labels  for a file: text file of class names, one a line; default: the class numbers

    Raises OptionError when the name, preset or labels do not fit, and what InferenceSession raises.
    """

    def __init__(self, model: str, *, preset: str | None = None, labels: str | None = None, threads: int = 0):
        options = SessionOptions(intra_op_num_threads=threads)
        known = model in card_names()
        if not known and not Path(model).exists():
            raise OptionError(f"{model!r} is neither a file nor a network of the package: {', '.join(card_names())}")
        if known:
            c = card(model)
            self.session = InferenceSession(str(c.path), options)
            self.preprocess, self.labels = c.preprocess, list(c.labels)
            self.title = f"{c.name}: {c.task}"
        else:
            self.session = InferenceSession(model, options)
            self.preprocess = self.guess_preprocess(preset or "imagenet")
            self.labels = []
            self.title = f"{model}, preprocessing {preset or 'imagenet (assumed)'}"
        if labels:
            self.labels = Path(labels).read_text("utf-8").splitlines()

    def guess_preprocess(self, preset: str) -> Preprocess:
        if preset not in PRESETS:
            raise OptionError(f"preset {preset!r}: it must be one of {', '.join(PRESETS)}")
        inputs = self.session.get_inputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(shape) != 4:
            raise OptionError(
                f"classify needs a model with one picture input, not {[(i.name, i.shape) for i in inputs]}"
            )
        last = shape[3] in (1, 3)
        h, w = (shape[1], shape[2]) if last else (shape[2], shape[3])
        channels = shape[3] if last else shape[1]
        values: dict[str, object] = {"size": (h if isinstance(h, int) else 224, w if isinstance(w, int) else 224)}
        values |= {**PRESETS[preset], "layout": "nhwc" if last else "nchw"}
        if channels == 1:
            values |= {"colour": "grey", "mean": (0.0,), "std": (1.0,)}
        if values["size"] == (224, 224):
            values["short_side"] = 256
        return Preprocess(**values)  # type: ignore[arg-type]

    def __call__(self, path: str | Path, top: int = 5) -> list[Guess]:
        x = self.preprocess.apply(load_picture(path))
        spec = self.session.get_inputs()[0]
        dtype = np.float16 if spec.type == "tensor(float16)" else np.float32
        scores = self.session.run(None, {spec.name: x.astype(dtype)})[0].reshape(-1).astype(np.float64)
        p = scores if is_distribution(scores) else softmax(scores)
        order = np.argsort(-p, kind="stable")[:top]
        return [Guess(self.label(int(i), p.size), int(i), float(p[i])) for i in order]

    def label(self, index: int, classes: int) -> str:
        return self.labels[index] if len(self.labels) == classes else str(index)
