"""One engine, one model, one process: what `compare.py` starts for each turn, with its task as JSON.

Prints one line of JSON: times in milliseconds, the error, and the most memory that this process ever had, in MB.
"""

import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))

from bench.engines import LOADERS, Run, joined, pictures

LEAST_RUNS = 3


def error(results: Sequence[np.ndarray], references: Sequence[np.ndarray]) -> float:
    """Greatest |y - ref| / max |ref| of all outputs; of integers, the share that differs; inf where shapes differ."""
    if [y.shape for y in results] != [ref.shape for ref in references]:
        return np.inf
    worst = 0.0
    for y, ref in zip(results, references, strict=True):
        if not ref.size:
            continue
        if not np.issubdtype(ref.dtype, np.floating):
            worst = max(worst, float(np.mean(y != ref)))
        elif np.array_equal(np.isfinite(y), finite := np.isfinite(ref)):
            wanted, got = (v.astype(np.float64)[finite] for v in (ref, y))
            scale = float(np.abs(wanted).max(initial=0)) or 1.0
            worst = max(worst, float(np.abs(got - wanted).max(initial=0)) / scale)
        else:
            return np.inf
    return worst


def times_ms(run: Run, seconds: float, least: int) -> list[float]:
    """Of runs for about this long, at least so many."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def peak_mb() -> float | None:
    """None where the system does not tell. Not getrusage: on Linux it begins with what the parent had."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return None
    return int(re.findall(r"^VmHWM:\s*(\d+) kB", status, re.M)[0]) / 1024


def arrays(path: str) -> list[np.ndarray]:
    with np.load(path) as file:
        return [file[name] for name in file.files]


def work(engine: str, model: str, threads: int, feeds: str, **task: Any) -> dict[str, Any]:
    """`reference` is the file of the wanted outputs, which `write` makes. `load_ms` counts the engine's import, too."""
    inputs = arrays(feeds)
    start = time.perf_counter()
    bind = LOADERS[engine](Path(model), threads)
    loaded = time.perf_counter()
    if task.get("write"):
        np.savez(task["reference"], *joined([bind(picture)() for picture in pictures(inputs)]))
        return {}
    run = bind(inputs)
    begin = time.perf_counter()
    results = run()
    told = {"load_ms": (loaded - start) * 1e3, "first_ms": (time.perf_counter() - begin) * 1e3}
    told["error"] = error(results, arrays(task["reference"]))
    if told["error"] <= task["tolerance"]:
        times_ms(run, task["seconds"] / 5, 1)
        times = times_ms(run, task["seconds"], LEAST_RUNS)
        low, median, high = np.percentile(times, (10, 50, 90))
        told |= {"ms": median, "p10_ms": low, "p90_ms": high, "runs": len(times)}
    return told | {"rss_mb": peak_mb()}


if __name__ == "__main__":
    print(json.dumps(work(**json.loads(sys.argv[1]))))
