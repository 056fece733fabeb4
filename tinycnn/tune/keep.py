"""Writes what was measured into the file that sessions read."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tinycnn.errors import OptionError
from tinycnn.feeds import whole_file
from tinycnn.kernels.cpu.isa import Isa
from tinycnn.knobs import TUNED
from tinycnn.planner.tuned import Tuned
from tinycnn.planner.tuned_file import heading, location, parse


def target_file(isa: Isa) -> Path:
    """Raises OptionError when there is none."""
    path = location(isa)
    if path is None:
        raise OptionError(
            f"what is measured cannot be kept: {TUNED.name} is 'off', or no cache folder can be written; let it name a "
            "file"
        )
    return path


def keep(path: Path, isa: Isa, found: Mapping[str, Tuned]) -> None:
    """Adds to the file, or replaces there, what was found, whole or not at all. It is read again just before: what
    others have added since stays.

    Raises OptionError for a file that is something else, which is left as it is, OSError where it cannot be written.
    """
    try:
        choices = parse(path.read_bytes(), isa)
    except FileNotFoundError:
        choices = {}
    except ValueError as error:
        raise OptionError(f"{path}: {error}; remove it, or let {TUNED.name} name another file") from None
    for request, tuned in found.items():
        before = choices[request].on_threads if request in choices else {}
        choices[request] = replace(tuned, on_threads={**before, **tuned.on_threads})
    told = {**heading(isa), "choices": {request: choices[request].as_dict() for request in sorted(choices)}}
    with whole_file(path) as f:
        f.write(json.dumps(told, indent=1, allow_nan=False).encode())
