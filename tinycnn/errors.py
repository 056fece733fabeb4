"""Every error that tinycnn raises on purpose. One root, and the parents that Python users expect."""

from collections.abc import Sequence
from dataclasses import dataclass


class TinyCnnError(Exception):
    """Root of all errors raised on purpose."""


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
