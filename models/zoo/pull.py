"""Networks of the zoo, downloaded: the only place of the package from which a connection is opened."""

import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tinycnn import knobs
from tinycnn.errors import DownloadError
from tinycnn.models import zoo
from tinycnn.models.zoo import Entry, File
from tinycnn.models.zoo.download import Progress, download, reason

ABANDONED_S = 86_400
"""A partial file that nobody has written to for so long was left by a process that was killed."""


@dataclass(frozen=True)
class Pulled:
    """A network on this machine.

    state   "pulled" now, "there already", or "found" in the folder of the knob ZOO
    sha256  of the file
    known   whether the registry has this SHA-256
    pinned  whether it was written down now, because the registry has none
    """

    name: str
    path: Path
    state: str
    sha256: str
    known: bool
    pinned: bool = False


def pull(network: str | Entry, *, progress: Progress | None = None, retries: int = 2, timeout_s: float = 30) -> Pulled:
    """Make sure that a network of the zoo is on this machine, and is what the registry describes.

    The file comes from the address of the knob MIRROR, or from the zoo's own, and stands in the folder of pulled
    networks when its SHA-256 is right. One whose SHA-256 nobody published is pinned: the first download writes its
    SHA-256 beside it, and later ones must have the same.

    network             name in the registry, or an Entry of your own
    progress            called after each chunk
    retries, timeout_s  as of `download`

    Raises OptionError for an unknown name, DownloadError when the file cannot be had: no connection, the knob OFFLINE,
    no such file, a wrong SHA-256. Nothing half-written stays.
    """
    entry = zoo.entry(network) if isinstance(network, str) else network
    folder = zoo.pulled_folder()
    here = entry.find()
    if here and here[1].parent != folder:
        file, path = here
        sha256 = digest(path)
        return Pulled(entry.name, path, "found", sha256, sha256 == file.sha256)
    for file in entry.files:
        path = folder / file.name
        if path.is_file() and expected(file, folder) in (None, digest(path)):
            return placed(entry.name, file, folder, "there already")
    prepare(folder)
    tried = []
    for file, address in sources(entry):
        wanted = expected(file, folder)
        with explained(entry, file, address, wanted):
            if download(
                address,
                folder / file.name,
                sha256=wanted,
                size=file.bytes,
                progress=progress,
                retries=retries,
                timeout_s=timeout_s,
            ):
                return placed(entry.name, file, folder, "pulled")
        tried.append(address)
    raise DownloadError(f"{entry.name}: no such file at {' or '.join(tried)}")


def placed(name: str, file: File, folder: Path, state: str) -> Pulled:
    """A file in the folder of pulled networks; its SHA-256 is written beside it where nobody has it yet."""
    path, pin = folder / file.name, pin_of(file, folder)
    sha256 = file.sha256 or digest(path)
    pinned = not file.sha256 and not pin.exists()
    if pinned:
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as partial:
            partial.write(f"{sha256}  {file.name}\n")  # as sha256sum writes and reads it
        os.replace(partial.name, pin)
    return Pulled(name, path, state, sha256, bool(file.sha256), pinned)


def pin_of(file: File, folder: Path) -> Path:
    return folder / f"{file.name}.sha256"


def expected(file: File, folder: Path) -> str | None:
    """The SHA-256 that the file must have: the registry's, or the one that was pinned."""
    pin = pin_of(file, folder)
    return file.sha256 or (pin.read_text("utf-8").partition(" ")[0] if pin.is_file() else None)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sources(entry: Entry) -> Iterator[tuple[File, str]]:
    """Addresses to try in turn: of every file at the mirror, if there is one, else of the zoo's own file."""
    mirror = knobs.MIRROR.get()
    if mirror:
        base = (mirror if "://" in mirror else Path(mirror).absolute().as_uri()).rstrip("/")
        for file in entry.files:
            yield from ((file, f"{base}/{place}") for place in dict.fromkeys((file.path, file.name)))
    else:
        yield from ((entry.files[0], address) for address in entry.files[0].addresses(zoo.addresses()))


def prepare(folder: Path) -> None:
    """Make the folder, for the user alone as kernels are kept beside it, and clear it of what killed processes left."""
    try:
        for parent in (folder.parent, folder):
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"{folder} cannot be made: {error.strerror}; name another in {knobs.MODELS.name}") from None
    for partial in folder.glob("tmp*"):
        with contextlib.suppress(OSError):
            if time.time() - partial.stat().st_mtime > ABANDONED_S:
                partial.unlink()


@contextlib.contextmanager
def explained(entry: Entry, file: File, address: str, wanted: str | None) -> Iterator[None]:
    """Every failure of a download as one DownloadError that says what to do."""
    try:
        yield
        return
    except DownloadError as error:
        why = str(error)
    except ValueError as error:
        got = re.search(r"but got (\w+)", str(error))  # the message of pooch
        why = f"it is not the file that is known, its SHA-256 is {got[1] if got else 'another'}, not {wanted}"
    except OSError as error:
        why = reason(error)
    raise DownloadError(
        f"{entry.name}: {address} cannot be downloaded: {why}; try again, name another address in {knobs.MIRROR.name}, "
        f"or put the file into {zoo.pulled_folder()} as {file.name}"
    )
