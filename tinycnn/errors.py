"""Every error that tinycnn raises on purpose. One root, and the parents that Python users expect."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FEW, NEAREST = 8, 5
"""Known names so few are all told; of more, at most so many."""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that does not exist: all known ones where they are few, else the nearest."""
    import difflib

    names = list(dict.fromkeys(known))
    alike = [n for n in names if name.lower() in n.lower()] + difflib.get_close_matches(name, names, FEW)
    nearest = list(dict.fromkeys(alike))[:NEAREST]
    if len(names) <= FEW:
        told = f"; there {'is' if len(names) == 1 else 'are'} {', '.join(names) or 'none'}"
    else:
        told = f"; nearest: {', '.join(nearest)}" if nearest else ""
    return f"no {what} is named {name!r}{told}"


class TinyCnnError(Exception):
    """Root of all errors raised on purpose."""


class TinyCnnWarning(UserWarning):
    """What was passed over and costs time only: no result is wrong for it."""


class ModelFormatError(TinyCnnError, ValueError):
    """The bytes are not a well-formed model: truncated, cyclic, contradictory, or reaching outside its folder."""


class GraphError(TinyCnnError, ValueError):
    """A graph breaks an invariant: an undefined or doubly defined value, a cycle, a wrong number of inputs."""


class ShapeError(TinyCnnError, ValueError):
    """Shapes or dtypes that an operator's definition does not allow together."""


class LimitError(TinyCnnError, ValueError):
    """More memory would be needed than the limit allows; raised before any is asked for."""


class FeedError(TinyCnnError, ValueError):
    """A feed with a missing or unknown name, a wrong rank or a wrong size."""


class FeedTypeError(TinyCnnError, TypeError):
    """A feed with a wrong dtype, or no array at all."""


class OptionError(TinyCnnError, ValueError):
    """A session option, provider, algorithm or knob with a value that does not exist."""


class PictureError(TinyCnnError, ValueError):
    """A file that is not a readable picture, or too large to be opened safely."""


class DownloadError(TinyCnnError, OSError):
    """A network that cannot be pulled: no connection, no such file, or not the file that was promised."""


class CompileError(TinyCnnError, RuntimeError):
    """A kernel that cannot be compiled or loaded on this machine."""


class DeviceError(TinyCnnError, RuntimeError):
    """A device that is not there, cannot be used, has too little memory, or reports a fault; the message says why."""


class ProgramError(TinyCnnError, RuntimeError):
    """A program that the verifier refuses: an access outside its buffer, or a live value overwritten."""


class MissingPackageError(TinyCnnError, ImportError):
    """An optional package that the request needs is not installed; the message names the extra that brings it."""


@dataclass(frozen=True)
class Problem:
    """One reason why a model cannot run: where it is, and what would help."""

    node: str
    operator: str
    opset: int | None
    reason: str
    attribute: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.operator}{f' (opset {self.opset})' if self.opset else ''} {self.node!r}"
        return f"{place}{f', attribute {self.attribute}' if self.attribute else ''}: {self.reason}" + (
            f"; {self.remedy}" if self.remedy else ""
        )


class UnsupportedModelError(TinyCnnError, ValueError):
    """A well-formed model that cannot run here. `problems` lists every reason, not only the first."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = tuple(problems)
        count = len(self.problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"the model cannot run: {count} problem{'s' if count != 1 else ''}\n{lines}")
