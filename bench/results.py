"""The file of a comparison, a JSON line for the machine and one for each cell; what it holds is not measured again.

A cell is a model at a batch and a number of threads, with the turns of every engine or why it has none.
"""

import json
import os
from pathlib import Path
from typing import Any

Record = dict[str, Any]
CELL = ("model", "sha256", "batch", "threads", "seconds", "rounds")
"""The fields that a cell is known by."""


def cell(record: Record) -> tuple[Any, ...]:
    return tuple(record[name] for name in CELL)


def undated(machine: Record) -> Record:
    return {name: value for name, value in machine.items() if name != "date"}


class Results:
    """Records by their cells, in memory and in the file, which is created or continued.

    Raises SystemExit where the file was measured on another machine or with other versions, and names what differs.
    """

    def __init__(self, path: Path, machine: Record, again: bool = False) -> None:
        self.path = path
        self.machine, self.records = (machine, {}) if again or not path.exists() else read(path)
        now, then = json.loads(json.dumps(undated(machine))), json.loads(json.dumps(undated(self.machine)))
        if now != then:
            other = ", ".join(name for name in now if now[name] != then.get(name))
            raise SystemExit(f"{path}: measured with another {other}; name another --out, or measure all --again")
        self.write([{"machine": self.machine}, *self.records.values()])

    def write(self, lines: list[Record]) -> None:
        """In one step, so that no run can end between the old file and the new."""
        partial = self.path.with_name(self.path.name + ".partial")
        partial.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        os.replace(partial, self.path)

    def add(self, record: Record) -> None:
        self.records[cell(record)] = record
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def read(path: Path) -> tuple[Record, dict[tuple[Any, ...], Record]]:
    """The machine and the records; a last line that a killed run left unfinished is dropped.

    Raises SystemExit where it is another file.
    """
    lines = path.read_text("utf-8").splitlines(keepends=True)
    try:
        first, *records = [json.loads(line) for line in lines if line.endswith("\n")]
        return first["machine"], {cell(record): record for record in records}
    except (ValueError, KeyError, TypeError):
        problem = "not the results of a comparison; name another --out, or --again to begin anew"
        raise SystemExit(f"{path}: {problem}") from None
