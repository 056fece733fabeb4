"""What a session is made of, and read again for what it did not keep."""

import os
import threading
from typing import Any

from tinycnn.errors import ModelFormatError, OptionError
from tinycnn.ir import Graph
from tinycnn.stages import stage


class Source:
    """A model to load more than once: a session keeps packed weights, not those they were made of.

    what     path, bytes, onnx.ModelProto or Graph
    dropout  as `load_onnx` takes it
    """

    def __init__(self, what: "str | os.PathLike[str] | bytes | Graph | Any", dropout: str):
        self.what, self.dropout = what, dropout
        self.stamps: dict[str, tuple[int, ...]] | None = None
        self.lock = threading.Lock()

    @stage("parse")
    def load(self) -> Graph:
        """The graph, the same each time. Raises ModelFormatError when a file is no longer what it was at first, or as
        `load_onnx` does."""
        if isinstance(self.what, Graph):
            if self.dropout != "identity":
                raise OptionError(f"dropout {self.dropout!r} is for files: a graph is run as it stands")
            return self.what
        from tinycnn.converters import load_onnx

        with self.lock:
            self.check()
            files: set[str] = set()
            graph = load_onnx(self.what, dropout=self.dropout, files=files)
            if self.stamps is None:
                self.stamps = {path: stamp(path) for path in files}
            self.check()
            return graph

    def check(self) -> None:
        for path, known in (self.stamps or {}).items():
            if stamp(path) != known:
                raise ModelFormatError(f"{path!r} has changed since this session was made of it: make another session")


def stamp(path: str) -> tuple[int, ...]:
    """What tells one state of a file from another; empty where there is none."""
    try:
        info = os.stat(path)
    except OSError:
        return ()
    return info.st_ino, info.st_size, info.st_mtime_ns
