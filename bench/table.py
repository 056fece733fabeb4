"""Tables of a comparison, as Markdown. A cell's `engines` hold `turns` each, or a `failure`, and its `error`."""

import itertools
import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from bench.engines import LOADERS, REFERENCE
from bench.results import Record

OURS = "tinycnn"
PEERS = tuple(name for name in LOADERS if name != OURS)
NONE = "-"
UNSTEADY = 1.25
"""How many times the fastest turn's the slowest turn's median may be before the report warns of it."""


def median(record: Record, engine: str, field: str = "ms") -> float | None:
    """Over the turns; None where the engine failed or the field is not known."""
    told = record["engines"].get(engine, {})
    values = [turn[field] for turn in told.get("turns", []) if turn.get(field) is not None]
    return None if told.get("failure") or not values else statistics.median(values)


def speedup(record: Record, peer: str) -> float | None:
    ours, theirs = median(record, OURS), median(record, peer)
    return theirs / ours if ours and theirs else None


def over_best(record: Record) -> float | None:
    """Over the fastest of the peers that were measured."""
    return min((value for peer in PEERS if (value := speedup(record, peer))), default=None)


def geometric_mean(values: Iterable[float | None]) -> float | None:
    """Of those that are known."""
    known = [value for value in values if value is not None]
    return statistics.geometric_mean(known) if known else None


def shown(value: float | None, form: str) -> str:
    return NONE if value is None else format(value, form)


def milliseconds(value: float | None) -> str:
    """To three digits, or a whole number."""
    digits = next((3 - i for i, limit in enumerate((1, 10, 100)) if value is not None and value < limit), 0)
    return shown(value, f".{digits}f")


def rows(head: Sequence[str], body: Iterable[Sequence[object]]) -> list[str]:
    """The first column is text, all others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *body]
    return [f"| {' | '.join(map(str, line))} |" for line in lines]


def threads_and_batch(record: Record) -> str:
    threads = record["threads"]
    return f"{threads} thread{'s' if threads > 1 else ''}, batch {record['batch']}"


def groups(records: Iterable[Record]) -> list[tuple[str, list[Record]]]:
    """One for each number of threads and batch, models in order."""

    def by(record: Record) -> tuple[int, int]:
        return record["threads"], record["batch"]

    ordered = sorted(records, key=lambda record: (*by(record), record["model"]))
    return [(threads_and_batch(g[0]), g) for g in (list(group) for _, group in itertools.groupby(ordered, by))]


def summary(records: Iterable[Record]) -> list[str]:
    """Geometric means of tinycnn's speed-ups, each over as many networks as both engines ran, and the least."""
    head = [
        "threads, batch",
        "networks",
        *(f"over {peer}" for peer in PEERS),
        "over the best of them",
        "least of these",
    ]
    body = []
    for name, group in groups(records):
        line: list[Any] = [name, len(group)]
        for values in (*([speedup(r, peer) for r in group] for peer in PEERS), [over_best(r) for r in group]):
            count = sum(value is not None for value in values)
            partly = f" ({count})" if 0 < count < len(group) else ""
            line.append(shown(geometric_mean(values), ".2f") + partly)
        least = min(((value, r["model"]) for r in group if (value := over_best(r))), default=None)
        body.append([*line, f"{least[0]:.2f} {least[1]}" if least else NONE])
    return rows(head, body)


def times(group: Sequence[Record]) -> list[str]:
    head = ["network", *(f"{name} ms" for name in LOADERS), f"over {REFERENCE}", "over the best"]
    body: list[list[str]] = []
    for r in group:
        measured = [milliseconds(median(r, name)) for name in LOADERS]
        body.append([r["model"], *measured, shown(speedup(r, REFERENCE), ".2f"), shown(over_best(r), ".2f")])
    means = (geometric_mean(speedup(r, REFERENCE) for r in group), geometric_mean(map(over_best, group)))
    body.append(["geometric mean", *[""] * len(LOADERS), *(shown(mean, ".2f") for mean in means)])
    return rows(head, body)


def costs(group: Sequence[Record]) -> list[str]:
    """Loading, the most memory, and errors, which wrong engines have, too."""
    head = ["network"]
    for what in ("load ms", "MB", "error"):
        head += [f"{name} {what}" for name in LOADERS]
    body = []
    for r in group:
        line = [r["model"], *(shown(median(r, name, "load_ms"), ".0f") for name in LOADERS)]
        line += [shown(median(r, name, "rss_mb"), ".0f") for name in LOADERS]
        body.append(line + [shown(r["engines"].get(name, {}).get("error"), ".0e") for name in LOADERS])
    return rows(head, body)


def failures(records: Sequence[Record]) -> list[str]:
    """What has no time and why, a line for each engine and reason."""
    cells = defaultdict(list)
    for r in records:
        for name, told in r["engines"].items():
            if told.get("failure"):
                cells[name, told["failure"]].append(f"{r['model']} ({threads_and_batch(r)})")
    return [
        f"* {name}: {reason}: {'everything' if len(where) == len(records) else ', '.join(where)}"
        for (name, reason), where in cells.items()
    ]


def unsteady(records: Sequence[Record]) -> list[str]:
    """Where turns of one engine differ so much that something else was at work on the machine."""
    found = []
    for r in records:
        for name in LOADERS:
            times = [turn["ms"] for turn in r["engines"].get(name, {}).get("turns", []) if "ms" in turn]
            if times and max(times) > UNSTEADY * min(times):
                span = " to ".join(map(milliseconds, (min(times), max(times))))
                found.append(f"* {name}: {r['model']} ({threads_and_batch(r)}): {span} ms")
    return found


def report(records: Sequence[Record]) -> list[str]:
    lines = ["## Speed-ups of tinycnn", "", *summary(records)]
    for name, group in groups(records):
        lines += ["", f"## {name}: milliseconds", "", *times(group)]
    for name, group in groups(records):
        lines += ["", f"## {name}: loading, memory, errors", "", *costs(group)]
    lines += ["", f"## Turns that differ by more than {UNSTEADY - 1:.0%}", "", *(unsteady(records) or ["None."])]
    return [*lines, "", "## Not measured", "", *(failures(records) or ["Nothing."])]
