"""Weights drawn at random, and the moments that activations have because of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Shape = tuple[int, ...]


def erf(x: np.ndarray) -> np.ndarray:
    return np.array(np.frompyfunc(math.erf, 1, 1)(x), np.float64)


@dataclass(frozen=True)
class Moments:
    """Mean and variance to expect of the elements of each channel, float64 [c]. Elements count as independent, and
    those that a function bends as normally distributed."""

    mean: np.ndarray
    variance: np.ndarray

    @classmethod
    def standard(cls, channels: int) -> "Moments":
        return cls(np.zeros(channels), np.ones(channels))

    @property
    def square(self) -> np.ndarray:
        """Mean of the squares."""
        return self.mean**2 + self.variance

    def scaled(self, factor: np.ndarray | float, shift: np.ndarray | float = 0.0) -> "Moments":
        """Of factor x + shift."""
        return Moments(factor * self.mean + shift, factor**2 * self.variance)

    def rectified(self) -> "Moments":
        """Of max(x, 0)."""
        m, deviation = self.mean, np.sqrt(np.maximum(self.variance, 1e-30))
        density = np.exp(-((m / deviation) ** 2) / 2) / math.sqrt(2 * math.pi)
        positive = (1 + erf(m / deviation / math.sqrt(2))) / 2
        mean = m * positive + deviation * density
        return Moments(mean, np.maximum(self.square * positive + m * deviation * density - mean**2, 0.0))

    def greatest(self, count: int) -> "Moments":
        """Of the greatest of `count` elements, which were rectified: so are normal ones of twice their mean square."""
        x = np.linspace(-8, 8, 1601)
        below = (1 + erf(x / math.sqrt(2))) / 2
        weights = np.diff(below**count)
        middle = (x[1:] + x[:-1]) / 2
        mean = weights @ middle
        scale = np.sqrt(2 * self.square)
        return Moments(mean * scale, (weights @ middle**2 - mean**2) * scale**2)

    def convolved(self, weight: np.ndarray, group: int) -> "Moments":
        """Of a convolution with weights [co, c / group, kh, kw], padding left out of account."""
        co, ci = weight.shape[:2]
        taps = weight.reshape(group, co // group, ci, -1)
        sums, squares = taps.sum(-1), np.einsum("goik,goik->goi", taps, taps)
        mean, variance = (np.asarray(v, np.float64).reshape(group, ci, 1) for v in (self.mean, self.variance))
        return Moments((sums @ mean).reshape(co), (squares @ variance).reshape(co))

    @staticmethod
    def of_sum(values: "Sequence[Moments]") -> "Moments":
        return Moments(np.sum([v.mean for v in values], axis=0), np.sum([v.variance for v in values], axis=0))

    @staticmethod
    def side_by_side(values: "Sequence[Moments]") -> "Moments":
        return Moments(np.concatenate([v.mean for v in values]), np.concatenate([v.variance for v in values]))

    def at(self, channels: "np.ndarray | slice") -> "Moments":
        """Of these channels."""
        return Moments(self.mean[channels], self.variance[channels])


class Draws:
    """Random arrays, float32, each from a stream of its own that the seed and its name start: a layer more or less
    changes no other.

    seed  at least 0; None: all arrays are zeros that take no memory, which is enough to count and to infer shapes
    """

    def __init__(self, seed: int | None):
        self.seed = seed

    def normal(self, name: str, shape: Shape, deviation: float = 1.0) -> np.ndarray:
        if self.seed is None:
            return zeros(shape)
        array = self.stream(name).standard_normal(shape, np.float32)
        array *= np.float32(deviation)
        return array

    def uniform(self, name: str, shape: Shape, low: float, high: float) -> np.ndarray:
        if self.seed is None:
            return zeros(shape)
        return self.stream(name).uniform(low, high, shape).astype(np.float32)

    def stream(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, *name.encode()])


def zeros(shape: Shape) -> np.ndarray:
    return np.broadcast_to(np.float32(0), shape)
