"""Feeds from files and results to files."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tinycnn.errors import FeedError


def load_feeds(items: Iterable[str]) -> dict[str, np.ndarray]:
    """Arrays from `NAME=FILE.npy`. Raises FeedError for another form, or a file that holds no plain array."""
    feeds = {}
    for item in items:
        name, _, path = item.partition("=")
        if not name or not path:
            raise FeedError(f"{item!r} is not NAME=FILE.npy")
        try:
            array = np.load(path, allow_pickle=False)
        except OSError as error:
            raise FeedError(f"{path}: {error.strerror or error}") from None
        except (ValueError, EOFError):
            raise FeedError(f"{path}: not a .npy file of numbers, or a truncated one") from None
        if not isinstance(array, np.ndarray):
            raise FeedError(f"{path}: holds several arrays; save one with numpy.save")
        feeds[name] = array
    return feeds


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which becomes `path` at the end; on an error, `path` stays what it was.

    Raises OSError, naming the file, before anything is done when it cannot be written.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "its folder does not exist", str(path))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "it is a folder", str(path))
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=path.suffix)
    try:
        with os.fdopen(handle, "wb") as f:
            yield f
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def save_results(path: Path, results: Mapping[str, np.ndarray]) -> None:
    """Writes an .npz whole or not at all. Raises OSError, naming the file that cannot be written."""
    with whole_file(path) as f:
        np.savez(f, allow_pickle=False, **results)


def statistics(y: np.ndarray) -> dict[str, Any]:
    numeric = y.size > 0 and y.dtype.kind in "biuf"
    values = [float(f(y)) for f in (np.min, np.mean, np.max)] if numeric else [float("nan")] * 3
    return {"dtype": y.dtype.name, "shape": list(y.shape), **dict(zip(("min", "mean", "max"), values, strict=True))}
