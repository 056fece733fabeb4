"""Pictures to class names."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinycnn.models.preprocess import load_picture
from tinycnn.picture_model import PictureModel


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

    model, preset, labels, threads  as of `PictureModel.open`
    ten_crop                        average the probabilities of four corners, centre, and their mirror images

    Raises what `PictureModel.open` raises.
    """

    def __init__(
        self,
        model: str,
        *,
        preset: str | None = None,
        labels: str | None = None,
        threads: int = 0,
        ten_crop: bool = False,
    ):
        self.model = PictureModel.open(model, preset=preset, labels=labels, threads=threads)
        self.title, self.ten_crop = self.model.title, ten_crop

    def __call__(self, path: str | Path, top: int = 5) -> list[Guess]:
        picture, preprocess = load_picture(path), self.model.preprocess
        x = preprocess.ten_crop(picture) if self.ten_crop else preprocess.apply(picture)
        scores = self.model.run(x)[0].reshape(len(x), -1).astype(np.float64)
        p = np.mean([s if is_distribution(s) else softmax(s) for s in scores], axis=0)
        order = np.argsort(-p, kind="stable")[:top]
        return [Guess(self.model.label(int(i), p.size), int(i), float(p[i])) for i in order]
