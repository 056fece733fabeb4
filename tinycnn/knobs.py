"""Every environment variable that tinycnn reads, declared once: name, type, default and meaning."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinycnn.errors import OptionError


@dataclass(frozen=True)
class Knob:
    """An environment variable. `get` reads it afresh; an empty value counts as unset.

    Raises OptionError when the text cannot be read as the knob's type.
    """

    name: str
    parse: Callable[[str], Any]
    default: Any
    meaning: str

    def get(self) -> Any:
        text = os.environ.get(self.name, "")
        if not text:
            return self.default
        try:
            return self.parse(text)
        except ValueError as error:
            raise OptionError(f"environment variable {self.name}={text!r}: {error}") from None


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError("must be at least 1")
    return value


def first_count(text: str) -> int | None:
    """The first number of a list such as OpenMP's; None, without complaint, where it is none: not ours to judge."""
    first = text.split(",")[0].strip()
    return int(first) if first.isdigit() and int(first) > 0 else None


def switch(text: str) -> bool:
    if text.strip().lower() not in ("0", "1", "no", "yes", "false", "true", "off", "on"):
        raise ValueError("must be 0 or 1")
    return text.strip().lower() in ("1", "yes", "true", "on")


ISA = Knob(
    "TINYCNN_ISA", str, None, "instruction set of the CPU kernels: avx512, avx2 or portable; default: the best here"
)
CACHE = Knob("TINYCNN_CACHE", str, None, "folder of compiled kernels; default: the user's cache folder")
MODELS = Knob("TINYCNN_MODELS", str, None, "folder of pulled networks; default: one in the user's cache folder")
ZOO = Knob("TINYCNN_ZOO", str, None, "a folder of networks of the zoo, looked into before that of pulled ones")
MIRROR = Knob("TINYCNN_MIRROR", str, None, "address or folder from which `tinycnn pull` takes the zoo's files")
OFFLINE = Knob("TINYCNN_OFFLINE", switch, False, "1: `tinycnn pull` opens no connection, and says so")
THREADS = Knob("TINYCNN_NUM_THREADS", positive, None, "threads of one inference; default: the processors granted here")
TUNED = Knob(
    "TINYCNN_TUNED", str, None, 'file of `tinycnn tune`, or "off" to use none; default: one in the user\'s cache folder'
)
PLANS = Knob("TINYCNN_PLANS", positive, 8, "plans kept per session, one for each combination of input shapes")
MEMORY = Knob("TINYCNN_MEMORY", positive, 16 << 30, "bytes that one model may need before it is refused")
OMP_THREADS = Knob("OMP_NUM_THREADS", first_count, None, "at most so many threads of one inference, as OpenMP has it")
CACHE_HOME = Knob("XDG_CACHE_HOME", str, None, "the user's cache folder; default: ~/.cache")

KNOBS = (ISA, CACHE, MODELS, ZOO, MIRROR, OFFLINE, THREADS, TUNED, PLANS, MEMORY, OMP_THREADS, CACHE_HOME)
