"""Where compiled kernels are kept: a folder of the user's own, each object named after all that it follows from."""

import functools
import hashlib
import os
import re
import tempfile
from pathlib import Path

from tinycnn import knobs
from tinycnn.kernels.kernel import Kernel

HERE = Path(__file__).parent
SEAL_BYTES = hashlib.sha256().digest_size


@functools.cache
def source(platform: str, module: str, pattern: bytes = rb"^ {8,}from") -> bytes:
    """Text of a module of a platform's folder, or of all platforms', then of those that its kernels are compiled from:
    what `build` imports, and all that these import in turn."""
    own = HERE / platform / f"{module}.py"
    text = (own if own.exists() else HERE / f"{module}.py").read_bytes()
    imported = re.findall(pattern + rb" tinycnn\.kernels\.(?:" + platform.encode() + rb"\.)?(\w+) import", text, re.M)
    modules = sorted(set(imported) - {platform.encode()})
    return b"".join([text, *(source(platform, m.decode(), rb"^ *from") for m in modules)])


def digest(kernel: Kernel, compiler: Path, key: tuple[object, ...]) -> str:
    """Changes with the kernel's sources, its name and fields, the file that compiles it, and the key."""
    h = hashlib.sha256()
    platform, module = kernel.build.__module__.split(".")[-2:]
    h.update(source(platform, module) + compiler.read_bytes())
    h.update(repr((kernel.name, kernel.fields, *key)).encode())
    return h.hexdigest()[:20]


@functools.cache
def cache_folder(wish: str | None) -> Path | None:
    """A folder of the user's own where objects can be kept: the knob's, the user's cache folder, or a temporary one.

    None where none can be written. A folder that others may write to is not used: its files would be run.
    """
    user = os.getuid() if hasattr(os, "getuid") else 0
    home = Path(knobs.CACHE_HOME.get() or os.path.expanduser("~/.cache"))
    for folder in [Path(wish)] if wish else [home / "tinycnn", Path(tempfile.gettempdir()) / f"tinycnn-{user}"]:
        if not (wish or folder.is_absolute()):
            continue
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.stat()
            if hasattr(os, "getuid") and (status.st_uid != user or status.st_mode & 0o022):
                continue
            if os.access(folder, os.W_OK | os.X_OK):
                return folder
        except OSError:
            continue
    return None


def place(name: str) -> Path | None:
    """Where an object is kept; None where nothing can be."""
    folder = cache_folder(knobs.CACHE.get())
    return folder / name if folder else None


def fetch(path: Path) -> bytes | None:
    """The object kept at the path; None where there is none, or one that is not what was written."""
    try:
        kept = path.read_bytes()
    except OSError:
        return None
    seal, data = kept[:SEAL_BYTES], kept[SEAL_BYTES:]
    return data if hashlib.sha256(data).digest() == seal else None


def keep(path: Path, data: bytes) -> None:
    """Writes the object whole or not at all. A failure is no error: the object is in memory already."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as f:
                f.write(hashlib.sha256(data).digest() + data)
            os.replace(name, path)
        except OSError:
            os.unlink(name)
    except OSError:
        pass
