"""What figures depend on: the processor, the system, versions."""

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from bench.engines import LOADERS, version
from tinycnn import knobs
from tinycnn.kernels.cpu.isa import host_features
from tinycnn.planner.tuned_file import processor

ROOT = Path(__file__).parents[1]
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
VECTORS = re.compile(r"(avx|fma|amx|sse4|asimd|sve)")


def caches() -> dict[str, str]:
    """Those of the first core, as Linux tells; empty elsewhere."""
    found = {}
    for folder in sorted(CACHES.glob("index*")):
        level, kind, size = ((folder / name).read_text("ascii").strip() for name in ("level", "type", "size"))
        found[f"L{level}" + {"Data": "d", "Instruction": "i"}.get(kind, "")] = size
    return found


def revision() -> str:
    """What git calls the checkout; empty where there is none."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def describe() -> dict[str, Any]:
    """All but the date must agree for results to stand in one table. Versions are None of what is not installed."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    return {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "cores": cores,
        "caches": caches(),
        "features": sorted(host_features()),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in (*LOADERS, "pnnx")} | {"numpy": np.__version__},
        "revision": revision(),
        "knobs": {knob.name: knob.get() for knob in (knobs.ISA, knobs.TUNED, knobs.OMP_THREADS) if knob.get()},
    }


def lines(machine: dict[str, Any]) -> list[str]:
    """As Markdown."""
    vectors = ", ".join(name for name in machine["features"] if VECTORS.match(name))
    sizes = ", ".join(f"{name} {size}" for name, size in machine["caches"].items())
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items() if number)
    settings = "".join(f", {name}={value}" for name, value in machine["knobs"].items())
    return [
        f"* {machine['date']}, {machine['processor']}, {machine['cores']} cores, {sizes}",
        f"* {vectors}",
        f"* {machine['system']}, Python {machine['python']}, {versions}",
        f"* tinycnn at {machine['revision'] or 'no revision'}{settings}",
    ]
