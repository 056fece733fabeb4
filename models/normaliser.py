"""Preprocessing that is learnt from a data set: means, deviations, decorrelation, whitening."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from tinycnn.errors import FeedError, OptionError

Kind = Literal["mean_image", "channel_mean", "channel", "decorrelate", "whiten"]

MOST_FEATURES = 1 << 14
"""Numbers a picture of which a covariance is still computed: a matrix of 2 GiB, and 64x64 pixels in colour."""


@dataclass(frozen=True)
class Normaliser:
    """How to normalise pictures like those of a data set. Made by `fit`; applied to data that took no part in it.

    shape  of one picture
    mean   what is subtracted, float64; broadcasts over pictures
    scale  what the rest is multiplied by, float64, broadcasts over pictures; None: nothing
    basis  the directions to project on, float64 [features, k], for "decorrelate" and "whiten"; None: none
    """

    kind: Kind
    shape: tuple[int, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64] | None = None
    basis: NDArray[np.float64] | None = None

    @classmethod
    def fit(
        cls,
        x: NDArray[Any],
        kind: Kind,
        *,
        channel_axis: int = 1,
        components: int | None = None,
        epsilon: float = 1e-5,
    ) -> "Normaliser":
        """Learn from pictures x [n, ...], any real dtype.

        kind          "mean_image" subtracts the mean of each number (AlexNet);
                      "channel_mean" subtracts the mean of each channel (VGG);
                      "channel" also divides by each channel's standard deviation (ResNet);
                      "decorrelate" projects the rest of "mean_image" on the eigenvectors of its covariance (PCA);
                      "whiten" also divides by the square root of each eigenvalue plus `epsilon`
        channel_axis  of x, for the kinds of channels: 1 for NCHW, 3 for NHWC
        components    eigenvectors kept, those of the greatest eigenvalues; default: all

        Raises OptionError for a kind that does not exist, FeedError when x holds no pictures or too large ones.
        Source: Stanford CS231n, "Neural networks part 2: setting up the data and the loss", data preprocessing.
        """
        if kind not in get_args(Kind):
            raise OptionError(f"normaliser {kind!r}: it must be one of {', '.join(get_args(Kind))}")
        if x.ndim < 2 or not x.size:
            raise FeedError(f"pictures [n, ...] are needed to fit, not an array of shape {list(x.shape)}")
        shape = x.shape[1:]
        if kind in ("channel_mean", "channel"):
            others = tuple(axis for axis in range(x.ndim) if axis != channel_axis % x.ndim)
            mean = x.mean(axis=others, keepdims=True, dtype=np.float64)[0]
            if kind == "channel_mean":
                return cls(kind, shape, mean)
            deviation = x.std(axis=others, keepdims=True, dtype=np.float64)[0]
            return cls(kind, shape, mean, 1 / np.maximum(deviation, epsilon))
        mean = x.mean(axis=0, dtype=np.float64)
        if kind == "mean_image":
            return cls(kind, shape, mean)
        eigenvalues, vectors = principal(x, mean, components)
        scale = 1 / np.sqrt(eigenvalues + epsilon) if kind == "whiten" else None
        return cls(kind, shape, mean, scale, vectors)

    def apply(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Pictures x [n, ...] normalised: float32, of x's shape, or [n, k] where they are projected.

        Raises FeedError when they have another shape than those of `fit`.
        """
        if x.shape[1:] != self.shape:
            raise FeedError(f"pictures of shape {list(self.shape)} were fitted, not {list(x.shape[1:])}")
        rest = x - self.mean
        if self.basis is not None:
            rest = rest.reshape(len(x), -1) @ self.basis
        return np.asarray(rest if self.scale is None else rest * self.scale, np.float32)


def principal(
    x: NDArray[Any], mean: NDArray[np.float64], components: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues [k] of the covariance of x [n, ...], the greatest first, and their vectors [features, k]."""
    flat = (x - mean).reshape(len(x), -1)
    features = flat.shape[1]
    if features > MOST_FEATURES:
        raise FeedError(f"a covariance of {features:,} numbers a picture is too large: at most {MOST_FEATURES:,}")
    if components is not None and not 1 <= components <= features:
        raise OptionError(f"components {components}: it must be 1 to {features}, the numbers of a picture")
    values, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
    kept = slice(None, None if components is None else -components - 1, -1)
    return np.maximum(values[kept], 0), vectors[:, kept]
