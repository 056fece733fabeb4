"""The file of what was measured: readable JSON, of one processor, instruction set and version of the engine."""

import functools
import json
import platform
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinycnn import __version__, knobs
from tinycnn.errors import OptionError, TinyCnnWarning
from tinycnn.kernels import cache
from tinycnn.kernels.cpu.isa import Isa, cpuinfo
from tinycnn.planner.tuned import Tuned

OFF = "off"
FORMAT = "tinycnn tuned choices, 1"


@functools.cache
def processor() -> str:
    """This machine's processor as the system calls it, with the numbers that tell generations of one name apart."""
    told = dict(re.findall(r"^(model name|cpu family|model)\s*:\s*(.*?)\s*$", cpuinfo(), re.M))
    if "model name" not in told:
        return platform.processor() or platform.machine()
    numbers = " ".join(f"{key.split()[-1]} {told[key]}" for key in ("cpu family", "model") if key in told)
    return f"{told['model name']}, {numbers}" if numbers else told["model name"]


def heading(isa: Isa) -> dict[str, str]:
    """What a file begins with, and must agree to the letter: times of another machine or version say nothing."""
    return {"format": FORMAT, "processor": processor(), "isa": isa.name, "version": __version__}


def named(wish: str = "") -> str:
    """The file that the session's option names, else the knob; "" where neither does."""
    return wish or knobs.TUNED.get() or ""


def location(isa: Isa, wish: str = "") -> Path | None:
    """The file that is named, else one in the user's cache folder; None where there is none, or it is "off"."""
    name = named(wish)
    if name == OFF:
        return None
    model = re.sub(r"\W+", "-", processor()).strip("-").lower()
    return Path(name) if name else cache.place(f"tuned-{model}-{isa.name}-{__version__}.json")


def parse(data: bytes, isa: Isa) -> dict[str, Tuned]:
    """Request -> what was measured for it. Raises ValueError, which says why, for what is no such file, a damaged one,
    or one of another machine, instruction set or version."""
    try:
        told: Any = json.loads(data)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not isinstance(told.get("choices"), dict) or told.get("format") != FORMAT:
        raise ValueError("it is damaged, or no file of tuned choices")
    for key, ours in heading(isa).items():
        if told.get(key) != ours:
            raise ValueError(f"it is of {key} {told.get(key)!r}, and here is {ours!r}")
    try:
        return {request: Tuned.of(entry) for request, entry in told["choices"].items()}
    except ValueError as error:
        raise ValueError(f"it is damaged: {error}") from None


def read(isa: Isa, wish: str = "") -> Mapping[str, Tuned]:
    """What was measured on this machine; nothing where nothing was.

    A file that cannot be used is passed over with a TinyCnnWarning: the cost model chooses, and results are as right.
    Raises OptionError when the file that the option or the knob names does not exist.
    """
    path = location(isa, wish)
    if path is None:
        return {}
    try:
        return parse(path.read_bytes(), isa)
    except FileNotFoundError:
        if not named(wish):
            return {}
        raise OptionError(f"{path}, named for tuned choices, does not exist: `tinycnn tune MODEL` writes it") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        warnings.warn(f"{path}: tuned choices are not used: {why}", TinyCnnWarning, stacklevel=4)
        return {}
