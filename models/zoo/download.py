"""One file from an address, whole and right or not at all."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tinycnn import knobs
from tinycnn.errors import DownloadError

CHUNK_BYTES = 1 << 16
MOST_BYTES = 2 << 30
"""No ONNX file is larger: a server that does not stop is left there."""

Progress = Callable[[int, int | None], None]
"""Told of bytes done and of all bytes, None where nobody says how many."""


def download(
    address: str,
    path: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    progress: Progress | None = None,
    retries: int = 2,
    timeout_s: float = 30,
) -> bool:
    """Fetch http, https or file://... into a partial file beside `path`, and name it `path` when its SHA-256 is right.

    An attempt that breaks off or arrives damaged is followed by another from the start, at most `retries` times.

    sha256     what the file must have; None: any that is no text
    size       bytes that it must not exceed
    timeout_s  seconds without a byte before a server is given up

    Returns False where the address has no such file. Raises DownloadError when the server refuses or sends what cannot
    be the file, or a connection is needed and the knob OFFLINE forbids it; ValueError when the SHA-256 is wrong;
    OSError of connection and disk.
    """
    import pooch

    meter = Meter(size, progress)
    if urlsplit(address).scheme == "file":
        downloader, retries = copier(meter), 0
    elif knobs.OFFLINE.get():
        raise DownloadError(f"{knobs.OFFLINE.name} is set")
    else:
        downloader = pooch.HTTPDownloader(progressbar=meter, chunk_size=CHUNK_BYTES, timeout=timeout_s)
    known = {path.name: f"sha256:{sha256}" if sha256 else None}
    store = pooch.create(path.parent, "", registry=known, urls={path.name: address}, retry_if_failed=retries)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        store.fetch(path.name, downloader=decided(downloader, accepts=None if sha256 else is_no_text))
    except FileNotFoundError:
        return False
    finally:
        logger.setLevel(level)
    return True


def decided(downloader: Callable[..., Any], accepts: Callable[[str], bool] | None) -> Callable[..., None]:
    """The downloader, made to give up where another attempt would end alike: FileNotFoundError for a file that the
    server lacks, DownloadError for one that it refuses or that is not accepted."""

    def attempt(url: str, output: str, store: Any) -> None:
        try:
            downloader(url, output, store)
        except OSError as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status in (404, 410):
                raise FileNotFoundError(url) from None
            if status is not None and 400 <= status < 500 and status not in (408, 429):
                raise DownloadError(f"the server refuses with status {status}") from None
            raise
        if accepts and not accepts(output):
            raise DownloadError("the server sends a text, not a model")

    return attempt


def is_no_text(path: str) -> bool:
    """Whether a file does not begin like a web page or a Git LFS pointer, which servers send in place of a model."""
    with open(path, "rb") as file:
        return not file.read(64).decode("latin-1").replace("\n", " ").replace("\r", " ").isprintable()


def copier(meter: "Meter") -> Callable[..., None]:
    """Downloads an address file://..., as pooch does others."""

    def copy(url: str, output: str, _: Any) -> None:
        source = Path(url2pathname(urlsplit(url).path))
        if not source.is_file():
            raise FileNotFoundError(url)
        meter.total = source.stat().st_size
        with source.open("rb") as reader, open(output, "wb") as writer:
            while chunk := reader.read(CHUNK_BYTES):
                writer.write(chunk)
                meter.update(len(chunk))

    return copy


class Meter:
    """Counts the bytes of a download, as a progress bar of pooch. Raises DownloadError beyond the limit."""

    def __init__(self, size: int | None, progress: Progress | None):
        self.size, self.progress = size, progress
        self.announced, self.done = 0, 0

    @property
    def total(self) -> int:
        return self.announced

    @total.setter
    def total(self, announced: int) -> None:
        """An attempt begins; the server announces so many bytes, 0 for unknown."""
        self.announced, self.done = announced, 0

    def update(self, count: int) -> None:
        self.done += count
        if self.done > (self.size or MOST_BYTES) + CHUNK_BYTES:  # pooch counts the last chunk as a whole one
            raise DownloadError(f"the server sends more than the {self.size or MOST_BYTES:,} bytes of this file")
        if self.progress:
            whole = self.size or self.announced or None
            self.progress(min(self.done, whole or self.done), whole)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Nothing is open."""


def reason(error: OSError) -> str:
    """Why a download failed: the innermost cause in words."""
    cause: BaseException = error
    while inner := cause.__cause__ or cause.__context__:
        cause = inner
    text = getattr(cause, "strerror", None) or str(cause) or str(error)
    return re.sub(r"<[^>]*object at 0x[0-9a-f]+>:? ?", "", str(text)) or type(error).__name__
