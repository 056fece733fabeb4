"""Statistics of a data set, learnt and applied."""

import numpy as np
import pytest

from tinycnn.errors import FeedError, OptionError
from tinycnn.models import Normaliser

RNG = np.random.default_rng(11)
MIX = RNG.standard_normal((24, 24))


def pictures(n: int) -> np.ndarray:
    """Correlated pictures [n, 3, 2, 4] around 100, channels of different spread."""
    x = (RNG.standard_normal((n, 24)) @ MIX).reshape(n, 3, 2, 4)
    return x * np.array([1.0, 2.0, 5.0])[:, None, None] + 100


TRAIN, TEST = pictures(4000), pictures(50)


def test_the_mean_image_is_subtracted() -> None:
    n = Normaliser.fit(TRAIN, "mean_image")
    assert n.mean.shape == (3, 2, 4)
    assert np.abs(n.apply(TRAIN).mean(axis=0)).max() < 1e-4
    np.testing.assert_allclose(n.apply(TEST), TEST - TRAIN.mean(axis=0), atol=1e-4)


@pytest.mark.parametrize("channel_axis", [1, 3, -1])
def test_channels_get_mean_0_and_deviation_1(channel_axis: int) -> None:
    train, test = (x if channel_axis == 1 else np.moveaxis(x, 1, 3) for x in (TRAIN, TEST))
    others = tuple({0, 1, 2, 3} - {channel_axis % 4})
    mean = Normaliser.fit(train, "channel_mean", channel_axis=channel_axis)
    assert mean.mean.size == 3
    np.testing.assert_allclose(mean.apply(train).mean(axis=others), 0, atol=1e-4)
    both = Normaliser.fit(train, "channel", channel_axis=channel_axis)
    np.testing.assert_allclose(both.apply(train).std(axis=others), 1, rtol=1e-5)
    wanted = (test - train.mean(axis=others, keepdims=True)) / train.std(axis=others, keepdims=True)
    np.testing.assert_allclose(both.apply(test), wanted, atol=1e-5)


def test_decorrelated_numbers_have_a_diagonal_covariance() -> None:
    y = Normaliser.fit(TRAIN, "decorrelate").apply(TRAIN).astype(np.float64)
    assert y.shape == (4000, 24)
    covariance = y.T @ y / len(y)
    variances = covariance.diagonal()
    assert np.all(np.diff(variances) <= 1e-6 * variances[0])
    assert np.abs(covariance - np.diag(variances)).max() < 1e-5 * variances[0]
    assert variances.sum() == pytest.approx(TRAIN.reshape(4000, -1).var(axis=0).sum(), rel=1e-5)


def test_whitened_numbers_have_the_identity_as_covariance() -> None:
    y = Normaliser.fit(TRAIN, "whiten", epsilon=1e-9).apply(TRAIN).astype(np.float64)
    np.testing.assert_allclose(y.T @ y / len(y), np.eye(24), atol=1e-4)


def test_the_greatest_components_are_kept() -> None:
    whole, part = (Normaliser.fit(TRAIN, "decorrelate", components=k).apply(TEST) for k in (None, 5))
    assert part.shape == (50, 5)
    np.testing.assert_allclose(part, whole[:, :5], atol=1e-4)


def test_fewer_pictures_than_numbers_can_be_whitened() -> None:
    y = Normaliser.fit(TRAIN[:10], "whiten").apply(TEST)
    assert np.isfinite(y).all()


def test_pixels_are_not_added_up_in_their_own_dtype() -> None:
    bright = np.full((300, 3, 2, 4), 255, np.uint8)
    n = Normaliser.fit(bright, "channel")
    assert np.array_equal(n.mean.ravel(), [255, 255, 255])
    assert not n.apply(bright).any()


@pytest.mark.parametrize(
    ("x", "options", "error", "message"),
    [
        (TRAIN, {"kind": "zca"}, OptionError, "'zca': it must be one of mean_image"),
        (TRAIN, {"kind": "whiten", "components": 25}, OptionError, "1 to 24"),
        (TRAIN[:0], {"kind": "channel"}, FeedError, "not an array of shape"),
        (TRAIN[:, 0, 0, 0], {"kind": "channel"}, FeedError, "not an array of shape"),
        (np.zeros((2, 3, 128, 128), np.uint8), {"kind": "whiten"}, FeedError, "49,152 numbers"),
    ],
)
def test_what_cannot_be_fitted(x: np.ndarray, options: dict[str, object], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        Normaliser.fit(x, **options)


def test_pictures_of_another_shape_are_refused() -> None:
    with pytest.raises(FeedError, match=r"\[3, 2, 4\] were fitted, not \[3, 4, 2\]"):
        Normaliser.fit(TRAIN, "mean_image").apply(TEST.transpose(0, 1, 3, 2))
