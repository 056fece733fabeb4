"""Tensor data in files beside the model: read only from inside the model's own folder."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath

import numpy as np
import onnx

from tinycnn.errors import ModelFormatError
from tinycnn.ir.memory import readable

KEYS = {"location", "offset", "length", "checksum", "basepath"}


@dataclass(frozen=True)
class Folder:
    """The folder of a model's file. used: the files of it that were read."""

    path: str
    used: set[str] = field(default_factory=set)


def number(tensor: str, key: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ModelFormatError(f"tensor {tensor!r}: external {key} {text[:40]!r} is not a number of bytes")
    return int(text)


def located(tensor: str, folder: str, location: str) -> str:
    """The path of an external file. Raises ModelFormatError unless it is a plain relative path that stays inside.

    No link is followed inside the folder, wherever it leads: what it points to could change after the check.
    """
    parts = PurePosixPath(location).parts
    outside = (
        not parts
        or "\0" in location
        or "\\" in location
        or ".." in parts
        or PurePosixPath(location).is_absolute()
        or PureWindowsPath(location).drive
    )
    if outside:
        raise ModelFormatError(
            f"tensor {tensor!r}: external data {location!r} is not a relative path inside the model's folder"
        )
    path = os.path.join(os.path.realpath(folder), *parts)
    try:
        real = os.path.realpath(path)
    except (OSError, ValueError) as error:
        raise ModelFormatError(f"tensor {tensor!r}: external data {location!r}: {error}") from None
    if real != path:
        raise ModelFormatError(f"tensor {tensor!r}: external data {location!r} is behind a symbolic link")
    return path


def read(tensor: onnx.TensorProto, folder: Folder | None, nbytes: int) -> np.ndarray:
    """The bytes [nbytes] uint8 of a tensor that lie outside the model.

    folder  the model's; None when the model came as bytes, which refuses external data altogether
    nbytes  what the tensor's shape and dtype need; checked against the entry and the file before anything is read
    Raises ModelFormatError when the entry is contradictory or reaches outside the folder or the file.
    """
    name = tensor.name
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if folder is None:
        raise ModelFormatError(
            f"tensor {name!r} lies in a file outside the model, which came without a folder; load it from its path"
        )
    if unknown := sorted(entries.keys() - KEYS):
        raise ModelFormatError(f"tensor {name!r}: unknown external data key {unknown[0]!r}")
    location = entries.get("location", "")
    path = located(name, folder.path, location)
    offset = number(name, "offset", entries.get("offset") or "0")
    length = number(name, "length", entries.get("length") or str(nbytes))
    if length != nbytes:
        raise ModelFormatError(f"tensor {name!r} needs {nbytes} bytes, its external data has {length}")
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        raise ModelFormatError(f"tensor {name!r}: external data {location!r}: {error.strerror}") from None
    info = os.fstat(descriptor)
    if not stat.S_ISREG(info.st_mode):
        os.close(descriptor)
        raise ModelFormatError(f"tensor {name!r}: external data {location!r} is not a file")
    with os.fdopen(descriptor, "rb") as file:
        if info.st_nlink > 1:
            raise ModelFormatError(f"tensor {name!r}: external data {location!r} is a hard link to another file")
        if offset + length > info.st_size:
            raise ModelFormatError(
                f"tensor {name!r}: bytes {offset} to {offset + length} of external data {location!r} do not exist; "
                f"the file has {info.st_size}"
            )
        file.seek(offset)
        data = readable((length,), np.uint8)
        if file.readinto(data.data) != length:
            raise ModelFormatError(f"tensor {name!r}: external data {location!r} ended early")
    folder.used.add(path)
    return data
